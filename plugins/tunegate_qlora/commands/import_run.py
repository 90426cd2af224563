"""Bring in a model that was trained elsewhere for a run whose gate has opened here."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from tunegate.project import ConfigError, here

if TYPE_CHECKING:
    from tunegate.runs import Run


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="an adapter, or all weights (*.safetensors)")
    add("--receipt", required=True, metavar="RUN", help="the run, or the file of its receipt")
    add("--same-base", action="store_true", help="what it names as its base is the run's")


def run(args: argparse.Namespace) -> int:
    """Copy the model into its run; say what was proved and what was not."""
    from filelock import FileLock, Timeout

    from tunegate.protocols import ModelUnknown
    from tunegate.sealed import SealBroken

    from .. import extra
    from ..quiet import undisturbed

    if absent := extra.missing():
        raise ConfigError(absent)
    if not args.folder.is_dir():
        raise ConfigError(f"{args.folder} is not a folder")
    try:
        found = _run(args.receipt)
        with FileLock(found.folder / "run.lock", timeout=0), undisturbed():
            _bring(args, found)
    except Timeout:
        raise ConfigError(f"run {args.receipt}: another process is training it") from None
    except (SealBroken, ModelUnknown) as error:
        raise ConfigError(str(error)) from None
    return 0


def _run(said: str) -> Run:
    """Find the run by its id, or by its receipt, which must be the very one that we keep."""
    from tunegate.runs import begun
    from tunegate.state import State

    state, path = State(here()), Path(said)
    if not path.is_file():
        return begun(state, said)
    try:
        receipt = json.loads(path.read_bytes())
        receipt.pop("seal")
        found = begun(state, str(receipt["run"]))
    except (ValueError, KeyError, AttributeError):
        raise ConfigError(f"{path} is not a receipt") from None
    if found.receipt != receipt:
        raise ConfigError(f"{path} is not the receipt of run {found.id}: one of them was changed")
    return found


def _bring(args: argparse.Namespace, found: Run) -> None:
    from ..bring import bring

    if found.plan.trainer != "qlora":
        raise ConfigError(f"run {found.id} is {found.plan.trainer}'s; only qlora's are brought in")
    if found.finished:
        raise ConfigError(f"run {found.id} is finished: it has its model")
    brought = bring(args.folder.resolve(), found, same_base=args.same_base)
    print(f"run {found.id} has its model, trained elsewhere")
    for label, facts in (("proved", brought.proved), ("not proved", brought.unproved)):
        for fact in facts:
            told = textwrap.fill(
                fact, 80, initial_indent=f"{label:<12}", subsequent_indent=" " * 12
            )
            print(told)
    print("next        pytest suites/model --model latest")
