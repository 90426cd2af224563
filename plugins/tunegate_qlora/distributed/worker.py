"""`python -m tunegate_qlora.distributed.worker ORDER`: one of several processes that train a run.

It trains and saves; the process that started it (`launch`) verifies the model. An error becomes one
message in the file RANK.failed beside the order.
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

INSTRUCTION_KEYS = ("draft", "done", "rehearse")  # the main process's values hold for all
PATH_FIELDS = ("train", "validation", "test", "root")  # of a Plan


def main(order_file: Path) -> int:
    """Train this process's part of the run, and return the exit code.

    `order_file` is the JSON that `launch.run_workers` writes. The process holds a lock on RANK.lock
    beside it for as long as it lives.
    """
    child_process.exit_with_parent(partial(os._exit, 1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption means
    # Imported only now: from here on the process ends with its parent.
    from filelock import FileLock

    from tunegate.interfaces.trainer import TrainingFailed
    from tunegate.utils.atomic import atomic_write

    from ..runtime.quiet import quiet_libraries

    rank = os.environ["RANK"]
    try:
        with FileLock(order_file.with_name(f"{rank}.lock"), timeout=60), quiet_libraries():
            run_order(json.loads(order_file.read_bytes()), order_file.parent)
    except Exception as error:
        message = (
            str(error) if isinstance(error, TrainingFailed) else f"{type(error).__name__}: {error}"
        )
        atomic_write(order_file.with_name(f"{rank}.failed"), message.encode(), mode=0o600)
        sys.stdout.flush()
        os._exit(70)  # without the exit handlers of the libraries, which wait for other processes
    return 0


def run_order(order: dict[str, Any], workers_folder: Path) -> None:
    """Train what the order says together with the other processes; the main one writes figures."""
    from tunegate.config.settings import parse_settings
    from tunegate.interfaces.trainer import Plan
    from tunegate.utils.atomic import atomic_write

    from ..config.settings import Settings
    from ..data import training_data
    from ..runtime import process_group
    from ..runtime.errors import one_line_errors
    from ..training import learn
    from ..training.job import TrainingJob
    from . import rehearsal

    paths = {k: v and Path(v) for k, v in order["plan"].items() if k in PATH_FIELDS}
    plan = Plan(**order["plan"] | paths)
    settings = parse_settings(Settings, plan.config)
    with one_line_errors(settings):
        process_group.init()
        job = TrainingJob(plan, settings, Path(order["base"]), Path(order["folder"]))
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
