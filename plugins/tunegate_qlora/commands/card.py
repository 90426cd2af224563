"""Write a run's model card anew, with the scores of its newest scorecard."""

from __future__ import annotations

import argparse

from tunegate.project import ConfigError, here


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", metavar="RUN", help="its id, the beginning of it, or latest")


def run(args: argparse.Namespace) -> None:
    """Write README.md beside each model of the run."""
    from tunegate.runs import RunUnknown, find
    from tunegate.sealed import SealBroken
    from tunegate.state import State

    from .. import base, card

    try:
        found = find(State(here()), args.run.removeprefix("run:"))
        found.verify()
        specs = [found.made(name)[0] for name in ("", *found.record.get("checkpoints", {}))]
    except (RunUnknown, SealBroken) as error:
        raise ConfigError(str(error)) from None
    if found.plan.trainer != "qlora":
        raise ConfigError(f"run {found.id} was trained with {found.plan.trainer}: it has no card")
    root = base.locate(str(found.plan.config["base"]), found.state.root)
    for spec in specs:
        folder = found.state.root / spec.removeprefix("folder:")
        if folder.is_dir():
            print(f"card      {card.write(folder, found.plan, found.folder, root)}")
