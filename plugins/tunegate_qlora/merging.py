"""`tunegate merge RUN`, behind the command: prove, write, and tell the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tunegate import sealed
from tunegate.files import write_whole
from tunegate.project import ConfigError
from tunegate.protocols import TrainingFailed
from tunegate.runs import Run
from tunegate.settings import settle
from tunegate.state import secret_key

from . import adapter, base, card, material, merge, prove
from .config import Settings
from .folders import appearing
from .material import Material
from .model import open_folder
from .prove import Losses
from .quantise import load

ROWS = 256  # rows that adapter and merged model are compared on
NAME = "merged"


def merged(run: Run, folder: Path) -> dict[str, float]:
    """Merge the run's adapter into a folder that appears whole or not at all; return both losses.

    The folder becomes a checkpoint of the run, `run:ID@merged`: judged and promoted like the
    adapter, on scores of its own. Raises ConfigError where there is nothing to merge, and
    TrainingFailed where the merged model's loss is not the adapter's.
    """
    settings, tuned = _of(run)
    root = base.locate(settings.base, run.state.root)
    if run.plan.base_digest and base.digest(root) != run.plan.base_digest:
        raise ConfigError(f"the base in {root} is not the one that run {run.id} was trained on")
    rows = material.read(run.plan, settings, root)
    before = prove.measure(
        adapter.mount(load(root, settings.decoding), tuned), rows, settings, ROWS
    )
    with appearing(folder) as draft:
        merge.merge(tuned, root, settings, draft)
        figures = _compared(draft, settings, rows, before)
        write_whole(run.folder / "merge.json", json.dumps(figures, indent=1).encode(), mode=0o600)
        card.write(draft, run.plan, run.folder, root)
    _record(run, folder, figures)
    return figures


def _of(run: Run) -> tuple[Settings, Path]:
    if run.plan.trainer != "qlora":
        raise ConfigError(f"run {run.id} was trained with {run.plan.trainer}: nothing to merge")
    settings = settle(Settings, run.plan.config)
    if settings.method == "full":
        raise ConfigError(f"run {run.id} was trained in full: {run.folder / 'model'} is whole")
    run.verify()
    place = run.folder / "adapter"
    if open_folder(str(place), run.state.root).digest != run.made()[1]:
        raise ConfigError(f"{place} is not what run {run.id} has trained: it was changed since")
    return settings, place


def _compared(draft: Path, settings: Settings, rows: Material, before: Losses) -> dict[str, float]:
    decoding = settings.decoding.model_copy(update={"quantisation": "none"})
    after = prove.measure(load(draft, decoding), rows, settings, ROWS)
    for name, told in before.items():
        if prove.differ(told, after[name]):
            raise TrainingFailed(
                f"not good, nothing was written: the merged model's {name.replace('_', ' ')} is "
                f"{after[name]:.4f}, the adapter's {told:.4f}, further apart than "
                f"{_tolerance(told):.4f}. Serve the adapter itself"
            )
    figures = {**prove.named(before, "of_adapter"), **prove.named(after, "merged")}
    more = {"tolerance": _tolerance(before["loss"]), "rows": len(prove.sample(rows, ROWS))}
    return figures | more


def _tolerance(loss: float) -> float:
    return max(prove.TOLERANCE * loss, prove.LEAST)


def _record(run: Run, folder: Path, figures: dict[str, float]) -> None:
    """Write the merged model into `run.json` as a checkpoint; `latest` stays the run it was."""
    path, state = run.folder / "run.json", run.state
    spec = f"folder:{_named(folder, state.root)}"
    made = {"model": spec, "digest": open_folder(str(folder), state.root).digest}
    record: dict[str, Any] = json.loads(json.dumps(run.record))
    record.setdefault("checkpoints", {})[NAME] = made
    record.setdefault("made", run.age[0].isoformat(timespec="microseconds"))
    sealed.write(path, record, secret_key(state))


def _named(folder: Path, root: Path) -> str:
    """Return a folder as the project names it: relative to its root, where it lies in it."""
    place, root = folder.resolve(), root.resolve()
    return place.relative_to(root).as_posix() if root in place.parents else str(place)
