"""Write a run's model card anew, with the scores of its newest scorecard."""

from __future__ import annotations

import argparse

from tunegate.project import ConfigError, current_project


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", metavar="RUN", help="its id, the beginning of it, or latest")


def run(args: argparse.Namespace) -> None:
    """Write README.md beside each model of the run."""
    from tunegate.runs import RunNotFound, find_finished
    from tunegate.sealed import SealBroken
    from tunegate.state import StateDir

    from .. import base, card

    try:
        found_run = find_finished(StateDir(current_project()), args.run.removeprefix("run:"))
        found_run.verify()
        specs = [
            found_run.model_of(name)[0] for name in ("", *found_run.record.get("checkpoints", {}))
        ]
    except (RunNotFound, SealBroken) as error:
        raise ConfigError(str(error)) from None
    if found_run.plan.trainer != "qlora":
        raise ConfigError(
            f"run {found_run.id} was trained with {found_run.plan.trainer}: it has no card"
        )
    root = base.locate_base(str(found_run.plan.config["base"]), found_run.state.root)
    for spec in specs:
        folder = found_run.state.root / spec.removeprefix("folder:")
        if folder.is_dir():
            print(f"card      {card.write_card(folder, found_run.plan, found_run.folder, root)}")
