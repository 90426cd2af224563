"""Merge a run's adapter into its base, and prove that the merged model is as good."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tunegate import exits
from tunegate.project import ConfigError, current_project

if TYPE_CHECKING:
    from tunegate.runs import Run


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", metavar="RUN", help="its id, the beginning of it, or latest")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FOLDER", help="default: merged/ in the run's folder"
    )


def run(args: argparse.Namespace) -> int:
    """Merge; 70 where the merged model's loss is not the adapter's."""
    from filelock import FileLock, Timeout

    from tunegate.protocols import ModelUnknown, TrainingFailed
    from tunegate.runs import RunNotFound, find_finished
    from tunegate.sealed import SealBroken
    from tunegate.state import StateDir

    from .. import extra

    if missing := extra.missing_requirements():
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
        return exits.TRAINING_FAILED


def _merge_run(finished: Run, folder: Path) -> int:
    from ..quiet import quiet_libraries

    if folder.exists():
        raise ConfigError(f"{folder} is there already: remove it, or name another with -o")
    with quiet_libraries():
        from ..merging import merge_run

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
