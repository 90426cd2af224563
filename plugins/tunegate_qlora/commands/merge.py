"""Merge a run's adapter into its base, and prove that the merged model is as good."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate import exit_codes
from tunegate.config.project import current_project
from tunegate.config.settings import parse_settings
from tunegate.errors import ConfigError
from tunegate.interfaces.trainer import TrainingFailed
from tunegate.storage import seal
from tunegate.storage.run import Run
from tunegate.storage.seal import secret_key
from tunegate.utils.atomic import atomic_folder, atomic_write

from .. import model_card
from ..config.settings import Settings
from ..data import training_data
from ..data.training_data import TrainingData
from ..model import adapter, base, merge
from ..model.load import load_base
from ..model.local_model import open_folder
from ..training import verify
from ..training.verify import Losses

if TYPE_CHECKING:
    from tunegate.storage.run import Run


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", metavar="RUN", help="its id, the beginning of it, or latest")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FOLDER", help="default: merged/ in the run's folder"
    )


def run(args: argparse.Namespace) -> int:
    """Merge; 70 where the merged model's loss is not the adapter's."""
    from filelock import FileLock, Timeout

    from tunegate.interfaces.model import ModelUnknown
    from tunegate.interfaces.trainer import TrainingFailed
    from tunegate.storage.run import RunNotFound, find_finished
    from tunegate.storage.seal import SealBroken
    from tunegate.storage.state_dir import StateDir

    from ..runtime import requirements

    if missing := requirements.missing_requirements():
        raise ConfigError(missing)
    try:
        finished = find_finished(StateDir(current_project()), args.run.removeprefix("run:"))
        with FileLock(finished.folder / "merge.lock", timeout=0):
            return _merge_run(finished, args.out or finished.folder / "merged")
    except (RunNotFound, SealBroken, ModelUnknown) as error:
        raise ConfigError(str(error)) from None
    except Timeout:
        raise ConfigError(f"another process is merging run {args.run}") from None
    except TrainingFailed as error:
        print(f"tunegate merge: {error}", file=sys.stderr)
        return exit_codes.TRAINING_FAILED


def _merge_run(finished: Run, folder: Path) -> int:
    from ..runtime.quiet import quiet_libraries

    if folder.exists():
        raise ConfigError(f"{folder} is there already: remove it, or name another with -o")
    with quiet_libraries():
        figures = merge_run(finished, folder)
    adapter, merged_loss, rows = (
        figures["loss_of_adapter"],
        figures["loss_merged"],
        int(figures["rows"]),
    )
    print(f"merged    loss {merged_loss:.4f} on {rows:,} rows, the adapter's {adapter:.4f}")
    print(f"          good: within {figures['tolerance']:.4f} of each other; in {folder}")
    print(f"next      pytest suites/model --model run:{finished.id}@merged")
    return 0


# [merged] `tunegate merge RUN`, behind the command: prove, write, and tell the run.

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
    rows = training_data.load_training_data(run.plan, settings, root)
    adapter_losses = verify.measure_loss(
        adapter.load_adapter(load_base(root, settings.decoding), tuned),
        rows,
        settings,
        COMPARED_ROWS,
    )
    with atomic_folder(folder) as draft:
        merge.merge_adapter(tuned, root, settings, draft)
        figures = _compare_losses(draft, settings, rows, adapter_losses)
        atomic_write(run.folder / "merge.json", json.dumps(figures, indent=1).encode(), mode=0o600)
        model_card.write_card(draft, run.plan, run.folder, root)
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
    merged_losses = verify.measure_loss(load_base(draft, decoding), rows, settings, COMPARED_ROWS)
    for name, adapter_loss in adapter_losses.items():
        if verify.differs(adapter_loss, merged_losses[name]):
            raise TrainingFailed(
                f"not good, nothing was written: the merged model's {name.replace('_', ' ')} is "
                f"{merged_losses[name]:.4f}, the adapter's {adapter_loss:.4f}, further apart than "
                f"{_tolerance(adapter_loss):.4f}. Serve the adapter itself"
            )
    figures = {
        **verify.prefix_keys(adapter_losses, "of_adapter"),
        **verify.prefix_keys(merged_losses, "merged"),
    }
    comparison = {
        "tolerance": _tolerance(adapter_losses["loss"]),
        "rows": len(verify.sample_rows(rows, COMPARED_ROWS)),
    }
    return figures | comparison


def _tolerance(loss: float) -> float:
    return max(verify.TOLERANCE * loss, verify.MIN_DIFFERENCE)


def _record_checkpoint(run: Run, folder: Path, figures: dict[str, float]) -> None:
    """Write the merged model into `run.json` as a checkpoint; `latest` stays the run it was."""
    path, state = run.folder / "run.json", run.state
    spec = f"folder:{_relative_name(folder, state.root)}"
    checkpoint = {"model": spec, "digest": open_folder(str(folder), state.root).digest}
    record: dict[str, Any] = json.loads(json.dumps(run.record))
    record.setdefault("checkpoints", {})[MERGED_NAME] = checkpoint
    record.setdefault("made", run.age[0].isoformat(timespec="microseconds"))
    seal.write_sealed(path, record, secret_key(state))


def _relative_name(folder: Path, root: Path) -> str:
    """Return a folder as the project names it: relative to its root, where it lies in it."""
    resolved, root = folder.resolve(), root.resolve()
    return resolved.relative_to(root).as_posix() if root in resolved.parents else str(resolved)
