"""Write a run's model card anew, with the scores of its newest scorecard."""

from __future__ import annotations

import argparse

from tunegate.config.project import current_project
from tunegate.errors import ConfigError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", metavar="RUN", help="its id, the beginning of it, or latest")


def run(args: argparse.Namespace) -> None:
    """Write README.md beside each model of the run."""
    from tunegate.storage.run import RunNotFound, find_finished
    from tunegate.storage.seal import SealBroken
    from tunegate.storage.state_dir import StateDir

    from .. import model_card
    from ..model import base

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
            print(
                f"card      {model_card.write_card(folder, found_run.plan, found_run.folder, root)}"
            )
