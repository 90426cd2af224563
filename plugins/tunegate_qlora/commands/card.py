"""Write a run's model card anew, with the scores of its newest scorecard."""

from __future__ import annotations

import argparse

from .common import qlora_run


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", metavar="RUN", help="its id, the beginning of it, or latest")


def run(args: argparse.Namespace) -> None:
    """Write README.md beside each model of the run: its own, and its checkpoints."""
    with qlora_run(args.run, finished=True) as trained:
        from .. import model_card
        from ..model import base

        trained.verify()
        root = base.locate_base(str(trained.plan.config["base"]), trained.state.root)
        for checkpoint in ("", *trained.record.get("checkpoints", {})):
            spec, _ = trained.model_of(checkpoint)
            folder = trained.state.root / spec.removeprefix("folder:")
            if folder.is_dir():
                path = model_card.write_card(folder, trained.plan, trained.folder, root)
                print(f"card      {path}")
