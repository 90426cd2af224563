"""`tunegate merge RUN`, behind the command: prove, write, and tell the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tunegate import sealed
from tunegate.files import atomic_write
from tunegate.project import ConfigError
from tunegate.protocols import TrainingFailed
from tunegate.runs import Run
from tunegate.settings import parse_settings
from tunegate.state import secret_key

from . import adapter, base, card, material, merge, prove
from .config import Settings
from .folders import atomic_folder
from .material import TrainingData
from .model import open_folder
from .prove import Losses
from .quantise import load_base

COMPARED_ROWS = 256  # rows that adapter and merged model are compared on
MERGED_NAME = "merged"


def merge_run(run: Run, folder: Path) -> dict[str, float]:
    """Merge the run's adapter into a folder that appears whole or not at all; return both losses.

    The folder becomes a checkpoint of the run, `run:ID@merged`: judged and promoted like the
    adapter, on scores of its own. Raises ConfigError where there is nothing to merge, and
    TrainingFailed where the merged model's loss is not the adapter's.
    """
    settings, tuned = _settings_and_adapter(run)
    root = base.locate_base(settings.base, run.state.root)
    if run.plan.base_digest and base.base_digest(root) != run.plan.base_digest:
        raise ConfigError(f"the base in {root} is not the one that run {run.id} was trained on")
    rows = material.load_training_data(run.plan, settings, root)
    adapter_losses = prove.measure_loss(
        adapter.load_adapter(load_base(root, settings.decoding), tuned),
        rows,
        settings,
        COMPARED_ROWS,
    )
    with atomic_folder(folder) as draft:
        merge.merge_adapter(tuned, root, settings, draft)
        figures = _compare_losses(draft, settings, rows, adapter_losses)
        atomic_write(run.folder / "merge.json", json.dumps(figures, indent=1).encode(), mode=0o600)
        card.write_card(draft, run.plan, run.folder, root)
    _record_checkpoint(run, folder, figures)
    return figures


def _settings_and_adapter(run: Run) -> tuple[Settings, Path]:
    if run.plan.trainer != "qlora":
        raise ConfigError(f"run {run.id} was trained with {run.plan.trainer}: nothing to merge")
    settings = parse_settings(Settings, run.plan.config)
    if settings.method == "full":
        raise ConfigError(f"run {run.id} was trained in full: {run.folder / 'model'} is whole")
    run.verify()
    adapter_folder = run.folder / "adapter"
    if open_folder(str(adapter_folder), run.state.root).digest != run.model_of()[1]:
        raise ConfigError(
            f"{adapter_folder} is not what run {run.id} has trained: it was changed since"
        )
    return settings, adapter_folder


def _compare_losses(
    draft: Path, settings: Settings, rows: TrainingData, adapter_losses: Losses
) -> dict[str, float]:
    decoding = settings.decoding.model_copy(update={"quantisation": "none"})
    merged_losses = prove.measure_loss(load_base(draft, decoding), rows, settings, COMPARED_ROWS)
    for name, adapter_loss in adapter_losses.items():
        if prove.differs(adapter_loss, merged_losses[name]):
            raise TrainingFailed(
                f"not good, nothing was written: the merged model's {name.replace('_', ' ')} is "
                f"{merged_losses[name]:.4f}, the adapter's {adapter_loss:.4f}, further apart than "
                f"{_tolerance(adapter_loss):.4f}. Serve the adapter itself"
            )
    figures = {
        **prove.prefix_keys(adapter_losses, "of_adapter"),
        **prove.prefix_keys(merged_losses, "merged"),
    }
    comparison = {
        "tolerance": _tolerance(adapter_losses["loss"]),
        "rows": len(prove.sample_rows(rows, COMPARED_ROWS)),
    }
    return figures | comparison


def _tolerance(loss: float) -> float:
    return max(prove.TOLERANCE * loss, prove.MIN_DIFFERENCE)


def _record_checkpoint(run: Run, folder: Path, figures: dict[str, float]) -> None:
    """Write the merged model into `run.json` as a checkpoint; `latest` stays the run it was."""
    path, state = run.folder / "run.json", run.state
    spec = f"folder:{_relative_name(folder, state.root)}"
    checkpoint = {"model": spec, "digest": open_folder(str(folder), state.root).digest}
    record: dict[str, Any] = json.loads(json.dumps(run.record))
    record.setdefault("checkpoints", {})[MERGED_NAME] = checkpoint
    record.setdefault("made", run.age[0].isoformat(timespec="microseconds"))
    sealed.write_sealed(path, record, secret_key(state))


def _relative_name(folder: Path, root: Path) -> str:
    """Return a folder as the project names it: relative to its root, where it lies in it."""
    resolved, root = folder.resolve(), root.resolve()
    return resolved.relative_to(root).as_posix() if root in resolved.parents else str(resolved)
