"""Write a run's data and settings for another trainer (Axolotl), to bring the model back later."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunegate.project import ConfigError, here


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("to", choices=["axolotl"], metavar="axolotl", help="the only one so far")
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: axolotl-RUN")


def run(args: argparse.Namespace) -> None:
    """Write the folder; say what is in it, and the way back."""
    from tunegate.runs import begun
    from tunegate.sealed import SealBroken
    from tunegate.state import State

    from .. import extra
    from ..quiet import undisturbed

    if absent := extra.missing():
        raise ConfigError(absent)
    found = begun(State(here()), args.run)
    if found.plan.trainer != "qlora":
        raise ConfigError(f"run {found.id} is {found.plan.trainer}'s; only qlora's can be exported")
    folder: Path = args.out or Path(f"axolotl-{found.id}")
    if folder.exists():
        raise ConfigError(f"{folder} is there already; name another with --out")
    with undisturbed():
        from .. import exported

        try:
            made = exported.write(found, folder)
        except SealBroken as error:
            raise ConfigError(str(error)) from None
    print(f"wrote    {', '.join(made.files)}")
    print(f"in       {folder}; it holds the data: keep it private")
    print(f"base     {made.base_model}; where it lies elsewhere there, change base_model")
    print(f"there    cd {folder.name} && axolotl train {exported.CONFIG}")
    print(f"then     tunegate import-run {folder}/out --receipt {found.id}")
