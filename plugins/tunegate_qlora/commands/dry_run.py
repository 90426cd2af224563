"""Show what would train on several GPUs, and rehearse it in small.

Without RUN, what [train.qlora] and the training data say now. Nothing of the project is changed.

$ tunegate run preflight
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tunegate import exit_codes
from tunegate.config.project import current_project
from tunegate.errors import ConfigError

from .common import qlora_run, require_packages

if TYPE_CHECKING:
    from tunegate.interfaces.trainer import Plan


def arguments(parser: argparse.ArgumentParser) -> None:
    help_text = "the id of a planned run, or the beginning of it; default: the configuration"
    parser.add_argument("run", nargs="?", metavar="RUN", help=help_text)


def run(args: argparse.Namespace) -> int:
    """Print what would run, rehearse it, and return 70 where the rehearsal fails."""
    from tunegate.interfaces.trainer import TrainingFailed

    from ..runtime.quiet import quiet_libraries

    require_packages()
    root = current_project()
    if args.run:
        with qlora_run(args.run) as started:
            plan = started.plan
    else:
        plan = plan_of_config(root)
    with hidden_gpus(), quiet_libraries(), TemporaryDirectory(prefix="tunegate-") as scratch:
        from ..distributed import dry_run

        try:
            for line in dry_run.dry_run_lines(plan, root, Path(scratch)):
                print(line, flush=True)
        except TrainingFailed as error:
            print(f"tunegate dry-run: {error}", file=sys.stderr)
            return exit_codes.TRAINING_FAILED
    return 0


def plan_of_config(root: Path) -> Plan:
    """Return the plan of the project's configuration; no gate is needed to rehearse it."""
    from tunegate.config.schema import load
    from tunegate.interfaces.trainer import Plan

    from ..trainer import QLoRATrainer

    config, trainer = load(root), QLoRATrainer()
    if not config.data.train:
        raise ConfigError("dry-run needs rows: name a file as `train` in [data], or a RUN")
    settings = trainer.resolve(config.train.get("qlora", {}), root)
    return Plan(
        trainer=trainer.name,
        train=root / config.data.train,
        validation=None,
        test=None,
        config=settings,
        base=str(settings["base"]),
        base_digest="",
        seed=int(settings["seed"]),
        columns=config.data.columns,
        root=root,
    )


@contextmanager
def hidden_gpus() -> Iterator[None]:
    """Hide the GPUs inside the block from torch, which is imported there, and from the workers."""
    previous = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        yield
    finally:
        if previous is None:
            del os.environ["CUDA_VISIBLE_DEVICES"]
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = previous
