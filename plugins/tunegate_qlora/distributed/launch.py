"""Start the worker processes that train one run, wait for them, and report why they failed.

The workers are started by torchrun's command line (https://docs.pytorch.org/docs/stable/elastic/
run.html). Each writes its error into a file of torchrun's (`@record`), below `workers/` in the
run's folder, which all machines share.
"""

import gc
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.utils.files import atomic_write

from ..config import Settings
from ..data.training_data import TrainingJob
from ..runtime.libraries import LOST_PROCESS
from ..runtime.process_group import print_line

WORKER_MODULE = "tunegate_qlora.distributed.worker"
LAUNCHER_KILLED = "the launcher was killed; the same command goes on where it stopped"
WORKER_TIMEOUT = 60.0  # seconds for workers to end; a worker ends when its pipe closes


def torchrun_arguments(settings: Settings, machine: int, workers_folder: Path) -> list[str]:
    """Return torchrun's arguments for a machine's workers; the first has the main process."""
    if settings.machines == 1:
        rendezvous = ["--standalone", "--local-addr", "127.0.0.1"]  # at a free port
    else:
        host, _, port = settings.address.rpartition(":")
        rendezvous = ["--nnodes", str(settings.machines), "--node-rank", str(machine)]
        rendezvous += ["--master-addr", host, "--master-port", port]
    return [
        *rendezvous,
        *("--nproc-per-node", str(settings.processes)),
        *("--log-dir", str(workers_folder / f"errors-{machine}")),
        *("-m", WORKER_MODULE, str(workers_folder / f"order-{machine}.json")),
    ]


def learn_with_workers(
    job: TrainingJob, draft: Path, checkpoint: Path | None
) -> dict[str, float | int]:
    """Train with the workers of all machines; return the figures; raises TrainingFailed."""
    workers_folder = job.folder / "workers"
    if job.settings.machines > 1:
        command = f"tunegate run join {job.folder.name} --machine 1"
        print_line(f"for the other machines: {command}", "waiting")
    gc.collect()
    if torch.cuda.is_available():  # the workers need the memory that the baseline used
        torch.cuda.empty_cache()
    figures_file = workers_folder / "figures.json"
    figures_file.unlink(missing_ok=True)  # of an attempt that was killed
    run_workers(job, 0, draft, checkpoint)
    if not figures_file.is_file():
        raise TrainingFailed(f"the workers ended, and left no figures in {workers_folder}")
    figures: dict[str, float | int] = json.loads(figures_file.read_bytes())
    shutil.rmtree(workers_folder, ignore_errors=True)  # workers elsewhere may still be ending
    return figures


def run_workers(
    job: TrainingJob, machine: int, draft: Path | None = None, checkpoint: Path | None = None
) -> None:
    """Start this machine's workers, which end with it, and wait for them; raises TrainingFailed."""
    workers_folder = job.folder / "workers"
    workers_folder.mkdir(parents=True, exist_ok=True)
    ranks_here = range(machine * job.settings.processes, (machine + 1) * job.settings.processes)
    wait_for_workers(workers_folder, ranks_here)  # those of an attempt that was killed
    report = workers_folder / f"launcher-{machine}.json"
    report.unlink(missing_ok=True)
    shutil.rmtree(workers_folder / f"errors-{machine}", ignore_errors=True)
    plan = asdict(job.plan) | {"config": job.settings.model_dump(mode="json")}
    order = {"plan": plan, "base": job.base_folder, "folder": job.folder}
    order_text = json.dumps({**order, "draft": draft, "checkpoint": checkpoint}, default=str)
    atomic_write(workers_folder / f"order-{machine}.json", order_text.encode(), mode=0o600)
    variables = {"TORCH_CPP_LOG_LEVEL": "ERROR"}
    if job.settings.machines == 1:  # a machine without a network still has a loopback interface
        loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), "")
        variables |= {"GLOO_SOCKET_IFNAME": loopback} if loopback else {}
    if torch.cuda.is_available():
        from accelerate.utils import check_cuda_p2p_ib_support

        if not check_cuda_p2p_ib_support():  # an RTX 40 with an old driver
            variables |= {"NCCL_P2P_DISABLE": "1", "NCCL_IB_DISABLE": "1"}
    launcher = [sys.executable, "-m", "tunegate_qlora.distributed.launch", str(report)]
    process = subprocess.Popen(
        launcher + torchrun_arguments(job.settings, machine, workers_folder),
        stdin=subprocess.PIPE,  # the workers read it: it closes when this process ends
        env={**variables, **os.environ},
        start_new_session=True,  # Ctrl-C reaches this process alone; the workers see the pipe close
    )
    try:
        code = process.wait()
    finally:  # also on an interruption
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(WORKER_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    wait_for_workers(workers_folder, ranks_here)
    if code:
        raise TrainingFailed(failure_reason(workers_folder, machine, job.settings.world_size))


def failure_reason(workers_folder: Path, machine: int, world_size: int) -> str:
    """Return why a machine's workers failed, as one message.

    In this order: a SIGKILL, the first message of a worker, a crash by another signal, an exit
    code, the error of the launcher. A worker also fails where another one is gone: its message
    (LOST_PROCESS) comes after the messages and crashes that are causes.
    """
    path = workers_folder / f"launcher-{machine}.json"
    report = json.loads(path.read_bytes()) if path.is_file() else {}
    exits = report.get("exits", {})
    # torchrun itself ends the other workers, with SIGTERM.
    crashes = {code: rank for rank, code in exits.items() if code < 0 and code != -signal.SIGTERM}
    if -signal.SIGKILL in crashes:
        killed = f"process {crashes[-signal.SIGKILL]} of {world_size} was killed (SIGKILL)"
        return f"{killed}, often for memory; the same command goes on where it stopped"
    # Messages of other machines that are older than the order are of an earlier attempt.
    order = workers_folder / f"order-{machine}.json"
    order_time = order.stat().st_mtime_ns if order.is_file() else 0
    times = {p: p.stat().st_mtime_ns for p in workers_folder.glob("errors-*/**/error.json")}
    failed = sorted((p for p in times if times[p] >= order_time), key=lambda p: times[p])
    reports = (json.loads(p.read_bytes())["message"]["message"] for p in failed)
    messages = [str(message).removeprefix("TrainingFailed: ") for message in reports]
    causes = [message for message in messages if message != LOST_PROCESS]
    causes += [f"process {r} of {world_size} crashed (signal {-c})" for c, r in crashes.items()]
    ended = [f"process {r} ended with exit code {c}" for r, c in exits.items()]
    return [*causes, *messages, *ended, str(report.get("error", LAUNCHER_KILLED))][0]


def wait_for_workers(workers_folder: Path, ranks: range) -> None:
    """Wait until no worker of these ranks holds its lock; TrainingFailed after WORKER_TIMEOUT."""
    for rank in ranks if workers_folder.is_dir() else ():
        lock = workers_folder / f"{rank}.lock"
        try:
            with FileLock(lock, timeout=WORKER_TIMEOUT):
                pass
        except Timeout:
            message = f"process {rank} of an earlier attempt is still there: {lock}"
            raise TrainingFailed(message) from None


def run_torchrun(report: Path, arguments: list[str]) -> int:
    """Run torchrun here; return 0, 70 on a failure (told in `report`, no traceback), or 130."""
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    content: dict[str, object] = {}
    try:
        torchrun.main(arguments)
        return 0
    except SignalException:
        return 130
    except ChildFailedError as error:
        content["exits"] = {rank: failed.exitcode for rank, failed in error.failures.items()}
    except Exception as error:  # a port in use, a machine that never came
        content["error"] = f"{type(error).__name__}: {error}"
    atomic_write(report, json.dumps(content).encode())
    return 70


if __name__ == "__main__":
    sys.exit(run_torchrun(Path(sys.argv[1]), sys.argv[2:]))
