"""Start the worker processes that train one run, wait for them, and report why they failed."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate.utils.atomic import atomic_write

from ..config.settings import Settings
from ..model import architecture
from ..preflight import checks
from ..runtime.console import print_line
from ..runtime.errors import LOST_PROCESS_MESSAGE, one_line_errors
from ..training.job import TrainingJob, make_job
from . import accelerate_config

LAUNCHER_KILLED = "the launcher was killed; the same command goes on where it stopped"
WORKER_TIMEOUT = 60.0  # seconds for workers to end; a worker ends when its pipe closes


def learn_with_workers(
    job: TrainingJob, draft: Path, checkpoint: Path | None, *, rehearse: bool = False
) -> dict[str, float | int]:
    """Train with the workers of this machine, and those of other machines that join it.

    The workers save the model into the draft.

    Args:
        rehearse: The workers call `rehearsal.train_and_resume` in place of `learn`.

    Returns:
        The figures, as `learn` returns them.

    Raises:
        TrainingFailed: With the message of the worker that failed first.
    """
    workers_folder = job.folder / "workers"
    accelerate_config.write_config(
        job.settings, architecture.decoder_layer_class(job.base_folder), job.folder
    )
    if job.settings.machines > 1:
        print_line(
            f"for the other machines: tunegate join {job.folder.name} --machine 1", "waiting"
        )
    gc.collect()
    if torch.cuda.is_available():  # the workers need the memory that the baseline used
        torch.cuda.empty_cache()
    (workers_folder / "figures.json").unlink(missing_ok=True)  # of an attempt that was killed
    run_workers(
        job, 0, {"draft": str(draft), "done": checkpoint and str(checkpoint), "rehearse": rehearse}
    )
    if not (workers_folder / "figures.json").is_file():
        raise TrainingFailed(f"the workers ended, and left no figures in {workers_folder}")
    figures: dict[str, float | int] = json.loads((workers_folder / "figures.json").read_bytes())
    shutil.rmtree(workers_folder, ignore_errors=True)  # workers elsewhere may still be ending
    return figures


def run_workers(job: TrainingJob, machine: int, instructions: Mapping[str, Any]) -> None:
    """Start this machine's workers and wait until they have ended.

    The workers read the job and the `instructions` from a file, the order. They end with this
    process, however it ends. Raises TrainingFailed.
    """
    workers_folder = job.folder / "workers"
    workers_folder.mkdir(parents=True, exist_ok=True)
    ranks_here = range(machine * job.settings.processes, (machine + 1) * job.settings.processes)
    wait_for_workers(workers_folder, ranks_here)  # those of an attempt that was killed
    report = _report_path(workers_folder, machine)
    for stale in (report, *(workers_folder / f"{rank}.failed" for rank in ranks_here)):
        stale.unlink(missing_ok=True)
    order = workers_folder / f"order-{machine}.json"
    order_content = {
        "plan": asdict(job.plan),
        "base": str(job.base_folder),
        "folder": str(job.folder),
        **instructions,
    }
    atomic_write(order, json.dumps(order_content, default=str).encode(), mode=0o600)

    variables = {"TORCH_CPP_LOG_LEVEL": "ERROR"}
    if job.settings.machines == 1:  # a machine without a network still has a loopback interface
        loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), "")
        variables |= {"GLOO_SOCKET_IFNAME": loopback} if loopback else {}
    launcher = [sys.executable, "-m", "tunegate_qlora.distributed.launcher", str(report)]
    process = subprocess.Popen(
        launcher + accelerate_config.launch_command(job.folder, machine, order)[2:],
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
        raise TrainingFailed(failure_reason(workers_folder, machine, job.settings))


def failure_reason(workers_folder: Path, machine: int, settings: Settings) -> str:
    """Return why a machine's workers failed, as one message.

    In this order: a SIGKILL, the first message of a worker, a crash by another signal, an exit
    code, the error of the launcher. A worker also fails where another one is gone: its message
    (LOST_PROCESS_MESSAGE) comes after the messages and crashes that are causes.
    """
    path = _report_path(workers_folder, machine)
    report = json.loads(path.read_bytes()) if path.is_file() else {}
    exits = report.get("exits", {})
    # The launcher itself ends the other workers, with SIGTERM.
    crashes = {code: rank for rank, code in exits.items() if code < 0 and code != -signal.SIGTERM}
    world_size = settings.world_size
    if -signal.SIGKILL in crashes:
        return (
            f"process {crashes[-signal.SIGKILL]} of {world_size} was killed (SIGKILL), often for "
            "memory; the same command goes on where it stopped"
        )
    # Messages that are older than the order are of an earlier attempt.
    order = workers_folder / f"order-{machine}.json"
    order_time = order.stat().st_mtime_ns if order.is_file() else 0
    times = {path: path.stat().st_mtime_ns for path in workers_folder.glob("*.failed")}
    failed = sorted(
        (path for path in times if times[path] >= order_time), key=lambda path: times[path]
    )
    messages = [path.read_text("utf-8") for path in failed]
    causes = [message for message in messages if message != LOST_PROCESS_MESSAGE]
    causes += [f"process {r} of {world_size} crashed (signal {-c})" for c, r in crashes.items()]
    ended = [f"process {r} ended with exit code {c}" for r, c in exits.items()]
    return [*causes, *messages, *ended, str(report.get("error", LAUNCHER_KILLED))][0]


def wait_for_old_workers(job: TrainingJob) -> None:
    """Wait until this machine's workers of an earlier attempt have ended; raise TrainingFailed."""
    if (workers_folder := job.folder / "workers").is_dir():
        wait_for_workers(workers_folder, range(job.settings.processes))


def wait_for_workers(workers_folder: Path, ranks: range) -> None:
    """Wait until no worker of these ranks holds its lock, which it does for as long as it lives.

    Raises TrainingFailed where one still does after WORKER_TIMEOUT.
    """
    for rank in ranks:
        lock = workers_folder / f"{rank}.lock"
        try:
            with FileLock(lock, timeout=WORKER_TIMEOUT):
                pass
        except Timeout:
            raise TrainingFailed(
                f"process {rank} of an earlier attempt is still there: {lock}"
            ) from None


def _report_path(workers_folder: Path, machine: int) -> Path:
    return workers_folder / f"launcher-{machine}.json"


def join_training(plan: Plan, folder: Path, machine: int) -> None:
    """Run the workers of one more machine until the training ends; raise TrainingFailed."""
    if problems := checks.find_problems(plan):
        raise TrainingFailed("not started\n" + "\n".join(f"  - {p.what}" for p in problems))
    job = make_job(plan, folder)
    with one_line_errors(job.settings):
        accelerate_config.write_config(
            job.settings, architecture.decoder_layer_class(job.base_folder), folder
        )
        print_line(
            f"machine {machine} of {job.settings.machines}; {job.settings.address} leads", "joining"
        )
        run_workers(job, machine, {})
