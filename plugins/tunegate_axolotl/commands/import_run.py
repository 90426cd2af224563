"""Bring in a model that was trained elsewhere for a run whose gate has opened here."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from tunegate.config.project import current_project
from tunegate.errors import ConfigError

if TYPE_CHECKING:
    from tunegate.storage.run import Run


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="an adapter, or all weights (*.safetensors)")
    add("--receipt", required=True, metavar="RUN", help="the run, or the file of its receipt")
    add("--same-base", action="store_true", help="what it names as its base is the run's")


def run(args: argparse.Namespace) -> int:
    """Copy the model into its run; say what was proved and what was not."""
    from filelock import FileLock, Timeout

    from tunegate.interfaces.model import ModelUnknown
    from tunegate.storage.seal import SealBroken
    from tunegate_qlora.runtime import requirements
    from tunegate_qlora.runtime.quiet import quiet_libraries

    if missing := requirements.missing_requirements():
        raise ConfigError(missing)
    if not args.folder.is_dir():
        raise ConfigError(f"{args.folder} is not a folder")
    try:
        started = _find_run(args.receipt)
        with FileLock(started.folder / "run.lock", timeout=0), quiet_libraries():
            _import_model(args, started)
    except Timeout:
        raise ConfigError(f"run {args.receipt}: another process is training it") from None
    except (SealBroken, ModelUnknown) as error:
        raise ConfigError(str(error)) from None
    return 0


def _find_run(run_or_receipt: str) -> Run:
    """Find the run by its id, or by its receipt, which must be the very one that we keep."""
    from tunegate.storage.run import find_started
    from tunegate.storage.state_dir import StateDir

    state, path = StateDir(current_project()), Path(run_or_receipt)
    if not path.is_file():
        return find_started(state, run_or_receipt)
    try:
        receipt = json.loads(path.read_bytes())
        receipt.pop("seal")
        started = find_started(state, str(receipt["run"]))
    except (ValueError, KeyError, AttributeError):
        raise ConfigError(f"{path} is not a receipt") from None
    if started.receipt != receipt:
        raise ConfigError(f"{path} is not the receipt of run {started.id}: one of them was changed")
    return started


def _import_model(args: argparse.Namespace, started: Run) -> None:
    from ..import_model import import_model

    if started.plan.trainer != "qlora":
        raise ConfigError(
            f"run {started.id} is {started.plan.trainer}'s; only qlora's are brought in"
        )
    if started.finished:
        raise ConfigError(f"run {started.id} is finished: it has its model")
    report = import_model(args.folder.resolve(), started, same_base=args.same_base)
    print(f"run {started.id} has its model, trained elsewhere")
    for label, facts in (("proved", report.proved), ("not proved", report.unproved)):
        for fact in facts:
            text = textwrap.fill(
                fact, 80, initial_indent=f"{label:<12}", subsequent_indent=" " * 12
            )
            print(text)
    print("next        pytest suites/model --model latest")
