"""`python -m tunegate_qlora.distributed.worker ORDER`: one of several processes that train a run together.

It learns and saves; the process that had it started (`launch`) proves the model. What goes wrong
is left in a file, as one message.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from tunegate.utils import child_process

INSTRUCTION_KEYS = (
    "draft",
    "done",
    "rehearse",
)  # what the first process says, and the others then do


def main(order_file: Path) -> int:
    """Do this process's part; returns the exit code."""
    child_process.exit_with_parent(partial(os._exit, 1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption means
    from filelock import FileLock

    from tunegate.interfaces.trainer import TrainingFailed
    from tunegate.utils.atomic import atomic_write

    from ..runtime.quiet import quiet_libraries

    rank = os.environ["RANK"]
    try:
        with FileLock(order_file.with_name(f"{rank}.lock"), timeout=60), quiet_libraries():
            _run_order(json.loads(order_file.read_bytes()), order_file.parent)
    except Exception as error:
        message = (
            str(error) if isinstance(error, TrainingFailed) else f"{type(error).__name__}: {error}"
        )
        atomic_write(order_file.with_name(f"{rank}.failed"), message.encode(), mode=0o600)
        sys.stdout.flush()
        os._exit(70)  # not by way of the libraries' farewells: those wait for the others
    return 0


def _run_order(order: dict[str, Any], workers_folder: Path) -> None:
    from tunegate.config.settings import parse_settings
    from tunegate.interfaces.trainer import Plan
    from tunegate.utils.atomic import atomic_write

    from ..config.settings import Settings
    from ..data import training_data
    from ..runtime import process_group
    from ..runtime.errors import one_line_errors
    from ..training import job as job_
    from ..training import learn
    from . import rehearsal

    plan_paths = {k: v and Path(v) for k, v in order["plan"].items() if k in learn.PATHS}
    plan = Plan(**order["plan"] | plan_paths)
    settings = parse_settings(Settings, plan.config)
    with one_line_errors(settings):
        process_group.init()
        job = job_.TrainingJob(plan, settings, Path(order["base"]), Path(order["folder"]))
        learn.seed_and_threads(settings)
        rows = training_data.load_training_data(plan, settings, job.base_folder)
        draft, checkpoint, rehearse = process_group.broadcast(
            [order.get(key) for key in INSTRUCTION_KEYS]
        )
        if rehearse:
            figures = rehearsal.train_and_resume(job, rows, Path(draft))
        else:
            figures = learn.learn(job, rows, Path(draft), checkpoint and Path(checkpoint))
        if process_group.is_main():
            atomic_write(workers_folder / "figures.json", json.dumps(figures).encode())
        process_group.shutdown()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
