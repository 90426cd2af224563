"""From what `--model` says to a model, and to the run it came of, where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..interfaces.installed import ModelOpener
from ..interfaces.model import Model, ModelUnknown
from ..storage import run as runs
from ..storage.run import Run, RunNotFound
from ..storage.seal import SealBroken
from ..storage.state_dir import StateDir


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is being judged: `spec` opens it, `run` made it (None: scored, never promoted).

    `digest` is what the model had when it was made, by the run's record.
    """

    spec: str
    run: Run | None
    digest: str = ""


def resolve_candidate(option: str, state: StateDir) -> Candidate:
    """Resolve `latest`, `run:ID`, `run:ID@CHECKPOINT` and everything else; raises ModelUnknown."""
    name, _, checkpoint = option.removeprefix("run:").partition("@")
    if name != "latest" and not option.startswith("run:"):
        return _run_of_model(option, state)
    try:
        run = runs.find_finished(state, name)
        spec, digest = run.model_of(checkpoint)
    except (RunNotFound, SealBroken) as error:
        raise ModelUnknown(f"--model {option}: {error}") from None
    return Candidate(spec, run, digest)


def _run_of_model(spec: str, state: StateDir) -> Candidate:
    """Find the run that made the model of this spec (`openai:ft:...`, an adapter's folder)."""
    for path in state.runs.glob("*/run.json"):
        run = Run(state, path.parent.name)
        for model, digest in _models_of(run):
            if model in (spec, f"folder:{spec}"):
                return Candidate(model, run, digest)
    return Candidate(spec, None)


def _models_of(run: Run) -> list[tuple[str, str]]:
    try:
        return [run.model_of(name) for name in ("", *run.record.get("checkpoints", {}))]
    except SealBroken:  # a run that nobody can vouch for made nothing
        return []


def model_spec(base: str, openers: dict[str, ModelOpener]) -> str:
    """Return a base model as a spec: `folder:` stands before a path or a hub's name."""
    return base if base.partition(":")[0] in openers else f"folder:{base}"


def open_model(spec: str, root: Path, openers: dict[str, ModelOpener]) -> Model:
    """Open a model by its spec `SCHEME:REST`, or a folder; raises ModelUnknown."""
    scheme, colon, rest = spec.partition(":")
    if colon and scheme in openers:
        return openers[scheme](rest, root)
    if (root / spec).is_dir() and "folder" in openers:
        return openers["folder"](spec, root)
    schemes = ", ".join(f"{name}:..." for name in sorted(openers))
    raise ModelUnknown(f"no model {spec!r}; valid: latest, run:ID, a folder, {schemes}")
