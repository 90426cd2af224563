"""Resolves what `--model` names to a model spec and the run that made it, and opens specs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from ..interfaces.installed import Installed, ModelOpener
from ..interfaces.model import Model, ModelUnknown
from ..storage.run import Run, RunNotFound, find_finished
from ..storage.seal import SealBroken
from ..storage.state_dir import StateDir


@dataclass(frozen=True, slots=True)
class Candidate:
    """The model that a session scores."""

    spec: str  # it opens the model
    run: Run | None  # it made the model; without one it may be scored, and never promoted
    digest: str = ""  # the one that the run's record holds of the model


def resolve_candidate(
    option: str, state: StateDir, installed: Callable[[], Installed] = Installed
) -> Candidate:
    """Resolve the value of `--model`: `latest`, `run:ID`, `run:ID@CHECKPOINT`, or a model spec.

    A query (`run:ID?max_new_tokens=40`) makes the same model answer otherwise. A spec
    (`openai:ft:...`, an adapter's folder) is looked up in the records of all runs whose seals hold.
    Raises ModelUnknown where a run or checkpoint is named that is not there.
    """
    run_text, _, query = option.removeprefix("run:").partition("?")
    name, _, checkpoint = run_text.partition("@")
    if option.startswith("run:") or name == "latest":
        try:
            run = find_finished(state, name)
            if query:
                run, checkpoint = record_decoding(run, checkpoint, query, installed())
            spec, digest = run.model_of(checkpoint)
        except (RunNotFound, SealBroken) as error:
            raise ModelUnknown(f"--model {option}: {error}") from None
        return Candidate(spec, run, digest)
    for path in state.runs.glob("*/run.json"):
        run = Run(state, path.parent.name)
        try:
            models = [run.model_of(name) for name in ("", *run.record.get("checkpoints", {}))]
        except SealBroken:
            continue
        for spec, digest in models:
            if spec in (option, f"folder:{option}"):
                return Candidate(spec, run, digest)
    return Candidate(option, None)


def record_decoding(run: Run, checkpoint: str, query: str, installed: Installed) -> tuple[Run, str]:
    """Return a run that records its model with other decoding, and that checkpoint's name.

    Only what the trainer calls decoding can be set otherwise: all else is what was trained. Raises
    ModelUnknown, also where the model is not the one that was trained.
    """
    name = f"{checkpoint}?{query}"
    if name in run.record.get("checkpoints", {}):
        return run, name
    valid = getattr(installed.trainers.get(run.plan.trainer), "decoding", {})
    for key, _ in parse_qsl(query, keep_blank_values=True):
        if key not in valid:
            names = ", ".join(valid) or "none"
            raise ModelUnknown(f"run:{run.id}?{query}: {key!r} is no decoding; valid: {names}")
    (spec, digest), root = run.model_of(checkpoint), run.state.root
    if open_model(spec, root, installed.openers).digest != digest:
        raise ModelUnknown(f"run:{run.id}: its model is not the one that was trained")
    spec = f"{spec}?{query}"
    run.add_checkpoint(name, spec, open_model(spec, root, installed.openers).digest)
    return Run(run.state, run.id), name


def model_spec(base: str, openers: dict[str, ModelOpener]) -> str:
    """Return a base model as a spec: `folder:` is put before a path or the name on a model hub."""
    return base if base.partition(":")[0] in openers else f"folder:{base}"


def open_model(spec: str, root: Path, openers: dict[str, ModelOpener]) -> Model:
    """Open a model by its spec `SCHEME:REST`, or by a folder; raises ModelUnknown."""
    scheme, colon, rest = spec.partition(":")
    if colon and scheme in openers:
        return openers[scheme](rest, root)
    if (root / spec).is_dir() and "folder" in openers:
        return openers["folder"](spec, root)
    schemes = ", ".join(f"{name}:..." for name in sorted(openers))
    raise ModelUnknown(f"no model {spec!r}; valid: latest, run:ID, a folder, {schemes}")
