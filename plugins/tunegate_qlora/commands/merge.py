"""Merge a run's adapter into its base, and prove that the merged model is as good."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tunegate import exits
from tunegate.project import ConfigError, here

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
    from tunegate.runs import RunUnknown, find
    from tunegate.sealed import SealBroken
    from tunegate.state import State

    from .. import extra

    if absent := extra.missing():
        raise ConfigError(absent)
    try:
        found = find(State(here()), args.run.removeprefix("run:"))
        with FileLock(found.folder / "merge.lock", timeout=0):
            return _merge(found, args.out or found.folder / "merged")
    except (RunUnknown, SealBroken, ModelUnknown) as error:
        raise ConfigError(str(error)) from None
    except Timeout:
        raise ConfigError(f"another process is merging run {args.run}") from None
    except TrainingFailed as error:
        print(f"tunegate merge: {error}", file=sys.stderr)
        return exits.TRAINER_FAILED


def _merge(found: Run, folder: Path) -> int:
    from ..quiet import undisturbed

    if folder.exists():
        raise ConfigError(f"{folder} is there already: remove it, or name another with -o")
    with undisturbed():
        from ..merging import merged

        told = merged(found, folder)
    adapter, whole, rows = told["loss_of_adapter"], told["loss_merged"], int(told["rows"])
    print(f"merged    loss {whole:.4f} on {rows:,} rows, the adapter's {adapter:.4f}")
    print(f"          good: within {told['tolerance']:.4f} of each other; in {folder}")
    print(f"next      pytest suites/model --model run:{found.id}@merged")
    return 0
