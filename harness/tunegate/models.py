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
    """What is being judged: `spec` opens it, `run` made it (None: scored, never promoted)."""

    spec: str
    run: Run | None


def candidate(said: str, state: State) -> Candidate:
    """Resolve `latest`, `run:ID` and everything else; raises ModelUnknown."""
    if said != "latest" and not said.startswith("run:"):
        return Candidate(said, _made(said, state))
    try:
        run = runs.find(state, said.removeprefix("run:"))
        return Candidate(str(run.record["model"]), run)
    except (RunUnknown, SealBroken) as error:
        raise ModelUnknown(f"--model {said}: {error}") from None


def _made(spec: str, state: State) -> Run | None:
    """Find the run that made the model of this spec (`openai:ft:...`, an adapter's folder)."""
    made = (Run(state, path.parent.name) for path in state.runs.glob("*/run.json"))
    return next((run for run in made if _model_of(run) in (spec, f"folder:{spec}")), None)


def _model_of(run: Run) -> str | None:
    try:
        return str(run.record["model"])
    except SealBroken:  # a run that nobody can vouch for made nothing
        return None


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
