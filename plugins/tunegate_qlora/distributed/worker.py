"""`python -m tunegate_qlora.distributed.worker ORDER`: one of the processes that train a run."""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

from tunegate.utils.processes import exit_with_parent


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
        from pydantic import TypeAdapter

        from tunegate.utils.atomic import atomic_write

        from ..data.training_data import TrainingJob, load_training_data
        from ..runtime import process_group
        from ..training import learn

        order = json.loads(order_file.read_bytes())
        with one_line_errors(order["job"]["settings"]):
            # Join the group of the launcher: NCCL between GPUs, gloo between CPUs.
            PartialState(cpu=not torch.cuda.is_available())
            job = TypeAdapter(TrainingJob).validate_python(order["job"])
            learn.seed_and_threads(job.settings)
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
