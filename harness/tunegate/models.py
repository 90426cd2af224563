"""From what `--model` says to a model, and to the run it came of, where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import runs
from .extensions import Opener
from .protocols import Model, ModelUnknown
from .runs import Run, RunUnknown
from .sealed import SealBroken
from .state import State


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is being judged: `spec` opens it, `run` made it (None: scored, never promoted).

    `digest` is what the model had when it was made, by the run's record.
    """

    spec: str
    run: Run | None
    digest: str = ""


def candidate(said: str, state: State) -> Candidate:
    """Resolve `latest`, `run:ID`, `run:ID@CHECKPOINT` and everything else; raises ModelUnknown."""
    name, _, checkpoint = said.removeprefix("run:").partition("@")
    if name != "latest" and not said.startswith("run:"):
        return _made(said, state)
    try:
        run = runs.find(state, name)
        spec, digest = run.made(checkpoint)
    except (RunUnknown, SealBroken) as error:
        raise ModelUnknown(f"--model {said}: {error}") from None
    return Candidate(spec, run, digest)


def _made(spec: str, state: State) -> Candidate:
    """Find the run that made the model of this spec (`openai:ft:...`, an adapter's folder)."""
    for path in state.runs.glob("*/run.json"):
        run = Run(state, path.parent.name)
        for known, digest in _models_of(run):
            if known in (spec, f"folder:{spec}"):
                return Candidate(known, run, digest)
    return Candidate(spec, None)


def _models_of(run: Run) -> list[tuple[str, str]]:
    try:
        return [run.made(name) for name in ("", *run.record.get("checkpoints", {}))]
    except SealBroken:  # a run that nobody can vouch for made nothing
        return []


def model_spec(said: str, openers: dict[str, Opener]) -> str:
    """Return a base model as a spec: `folder:` stands before a path or a hub's name."""
    return said if said.partition(":")[0] in openers else f"folder:{said}"


def open_model(spec: str, root: Path, openers: dict[str, Opener]) -> Model:
    """Open a model by its spec `SCHEME:REST`, or a folder; raises ModelUnknown."""
    scheme, colon, rest = spec.partition(":")
    if colon and scheme in openers:
        return openers[scheme](rest, root)
    if (root / spec).is_dir() and "folder" in openers:
        return openers["folder"](spec, root)
    schemes = ", ".join(f"{name}:..." for name in sorted(openers))
    raise ModelUnknown(f"no model {spec!r}; valid: latest, run:ID, a folder, {schemes}")
