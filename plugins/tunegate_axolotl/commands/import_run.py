"""Bring in a model that was trained elsewhere, into its run.

Only a run whose gate has opened here gets one.

$ tunegate run import axolotl-3fa9c1/out --receipt 3fa9c1
"""

import argparse
import textwrap
from pathlib import Path

from tunegate.errors import ConfigError
from tunegate_qlora.commands.common import qlora_run


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="an adapter, or all weights (*.safetensors)")
    add("--receipt", required=True, metavar="RUN", help="the run, by its id")
    add("--same-base", action="store_true", help="what it names as its base is the run's")


def run(args: argparse.Namespace) -> int:
    """Copy the model into its run; print what was proved and what was not."""
    from filelock import FileLock

    if not args.folder.is_dir():
        raise ConfigError(f"{args.folder} is not a folder")
    busy = f"run {args.receipt}: another process is training it"
    with (
        qlora_run(args.receipt, busy=busy) as started,
        FileLock(started.folder / "run.lock", timeout=0),
    ):
        from ..import_model import import_model

        if started.finished:
            raise ConfigError(f"run {started.id} is finished: it has its model")
        report = import_model(args.folder.resolve(), started, same_base=args.same_base)
    print(f"run {started.id} has its model, trained elsewhere")
    for label, facts in zip(("proved", "not proved"), report, strict=True):
        for fact in facts:
            first, rest = f"{label:<12}", " " * 12
            print(textwrap.fill(fact, 80, initial_indent=first, subsequent_indent=rest))
    print("next        pytest suites/model --model latest")
    return 0
