"""`python -m tunegate_qlora.distributed.worker ORDER`: one of the processes that train a run."""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

from tunegate.utils.processes import exit_with_parent

PATH_FIELDS = ("train", "validation", "test", "root")  # of a Plan


def main(order_file: Path) -> int:
    """Train this process's part of the run, by the order of `run_workers`; return the exit code."""
    exit_with_parent(partial(os._exit, 1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption means
    # Imported only now: from here on the process ends with its parent.
    from torch.distributed.elastic.multiprocessing.errors import record

    try:
        record(train_order)(order_file)
    except Exception:
        sys.stdout.flush()
        os._exit(70)  # without the exit handlers of the libraries, which wait for other processes
    return 0


def train_order(order_file: Path) -> None:
    """Train by the order with the other processes, RANK.lock held; the main one writes figures."""
    from filelock import FileLock

    from ..runtime.libraries import one_line_errors, quiet_libraries

    lock = FileLock(order_file.with_name(f"{os.environ['RANK']}.lock"), timeout=60)
    with lock, quiet_libraries():
        import torch
        from accelerate import PartialState

        from tunegate.config.schema import parse_settings
        from tunegate.interfaces.trainer import Plan
        from tunegate.utils.files import atomic_write

        from ..config import Settings
        from ..data.training_data import TrainingJob, load_training_data
        from ..runtime import process_group
        from ..training import learn

        order = json.loads(order_file.read_bytes())
        with one_line_errors(order["plan"]["config"]):
            # Join the group of the launcher: NCCL between GPUs, gloo between CPUs.
            PartialState(cpu=not torch.cuda.is_available())
            paths = {key: order["plan"][key] and Path(order["plan"][key]) for key in PATH_FIELDS}
            plan = Plan(**order["plan"] | paths)
            settings = parse_settings(Settings, plan.config)
            learn.seed_and_threads(settings)
            job = TrainingJob(plan, settings, Path(order["base"]), Path(order["folder"]))
            rows = load_training_data(job)
            # The main process's draft and checkpoint hold for all.
            draft, checkpoint = process_group.broadcast([order["draft"], order["checkpoint"]])
            figures = learn.learn(job, rows, Path(draft), checkpoint and Path(checkpoint))
            if process_group.is_main():
                atomic_write(order_file.with_name("figures.json"), json.dumps(figures).encode())
            process_group.barrier()
            torch.distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
