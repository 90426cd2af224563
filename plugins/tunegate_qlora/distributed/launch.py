"""Starts the processes that train one run together, ends with them, and says why they failed."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock, Timeout

from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate.utils.atomic import atomic_write

from ..config.settings import Settings
from ..model import architecture
from ..preflight import checks
from ..runtime.console import print_line
from ..runtime.errors import LOST_PROCESS_MESSAGE, one_line_errors
from ..training import job as training
from . import accelerate_config

if TYPE_CHECKING:
    from ..training.job import TrainingJob


LAUNCHER_KILLED = "the launcher was killed; the same command goes on where it stopped"
WORKER_TIMEOUT = 60.0  # seconds for workers to end; a worker ends as soon as its pipe closes


def learn_with_workers(
    job: TrainingJob, draft: Path, checkpoint: Path | None, *, rehearse: bool = False
) -> dict[str, float | int]:
    """Train with the processes of this machine, and those of the others; return the figures.

    `rehearse` has them do what `rehearsal.play` does instead. Raises TrainingFailed with the
    message of the worker that failed first.
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
    if torch.cuda.is_available():  # what the baseline took, the workers want
        torch.cuda.empty_cache()
    (workers_folder / "figures.json").unlink(missing_ok=True)  # of an attempt that was killed
    run_workers(
        job, 0, {"draft": str(draft), "done": checkpoint and str(checkpoint), "rehearse": rehearse}
    )
    if not (workers_folder / "figures.json").is_file():
        raise TrainingFailed(f"the workers ended, and left no figures in {workers_folder}")
    figures: dict[str, float | int] = json.loads((workers_folder / "figures.json").read_bytes())
    shutil.rmtree(workers_folder, ignore_errors=True)  # another machine may still be on its way out
    return figures


def run_workers(job: TrainingJob, machine: int, instructions: Mapping[str, Any]) -> None:
    """Run this machine's workers to their end; raise TrainingFailed."""
    workers_folder = job.folder / "workers"
    workers_folder.mkdir(parents=True, exist_ok=True)
    ranks_here = range(machine * job.settings.processes, (machine + 1) * job.settings.processes)
    _wait_for_workers(workers_folder, ranks_here)  # those of an attempt that was killed
    for stale in (
        *(workers_folder / f"{rank}.failed" for rank in ranks_here),
        _report_path(workers_folder, machine),
    ):
        stale.unlink(missing_ok=True)
    order = workers_folder / f"order-{machine}.json"
    order_content = {
        "plan": asdict(job.plan),
        "base": str(job.base_folder),
        "folder": str(job.folder),
        **instructions,
    }
    atomic_write(order, json.dumps(order_content, default=str).encode(), mode=0o600)
    with _launch(job, machine, order) as process:
        code = process.wait()
    _wait_for_workers(workers_folder, ranks_here)
    if code:
        raise TrainingFailed(failure_reason(workers_folder, machine, job.settings))


@contextmanager
def _launch(job: TrainingJob, machine: int, order: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Give the launcher's process; whatever ends the block ends it, and its workers."""
    command = [
        sys.executable,
        "-m",
        "tunegate_qlora.distributed.launcher",
        str(_report_path(order.parent, machine)),
    ]
    command += accelerate_config.launch_command(job.folder, machine, order)[2:]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # the workers read it: when we are gone, so are they
        env=os.environ | _worker_environment(job.settings),
        start_new_session=True,  # Ctrl-C is for us; the workers end when the pipe closes
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(WORKER_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def failure_reason(workers_folder: Path, machine: int, settings: Settings) -> str:
    """Return why a machine's workers failed: a kill, else the first message, else the launcher's.

    A worker whose partner is gone fails too, and later: that tells nobody anything.
    """
    report = _report_path(workers_folder, machine)
    report_content = json.loads(report.read_bytes()) if report.is_file() else {}
    # The launcher itself ends the others, with SIGTERM.
    crashes = {
        c: r for r, c in report_content.get("exits", {}).items() if c < 0 and c != -signal.SIGTERM
    }
    if -signal.SIGKILL in crashes:
        return (
            f"process {crashes[-signal.SIGKILL]} of {settings.world_size} was killed (SIGKILL), often for "
            "memory; the same command goes on where it stopped"
        )
    order = workers_folder / f"order-{machine}.json"
    order_time = order.stat().st_mtime_ns if order.is_file() else 0
    times = {path: path.stat().st_mtime_ns for path in workers_folder.glob("*.failed")}
    failed = sorted(
        (path for path in times if times[path] >= order_time), key=lambda path: times[path]
    )
    messages = [path.read_text("utf-8") for path in failed]
    causes = [message for message in messages if message != LOST_PROCESS_MESSAGE]
    causes += [
        f"process {r} of {settings.world_size} crashed (signal {-c})" for c, r in crashes.items()
    ]
    exits = [
        f"process {r} ended with exit code {c}" for r, c in report_content.get("exits", {}).items()
    ]
    return [*causes, *messages, *exits, str(report_content.get("error", LAUNCHER_KILLED))][0]


def wait_for_old_workers(job: TrainingJob) -> None:
    """Wait until this machine's workers of an earlier attempt are gone; raise TrainingFailed."""
    if (workers_folder := job.folder / "workers").is_dir():
        _wait_for_workers(workers_folder, range(job.settings.processes))


def _wait_for_workers(workers_folder: Path, ranks_here: range) -> None:
    """Wait until no worker of these ranks is left: each holds a lock as long as it lives."""
    for rank in ranks_here:
        try:
            with FileLock(workers_folder / f"{rank}.lock", timeout=WORKER_TIMEOUT):
                pass
        except Timeout:
            raise TrainingFailed(
                f"process {rank} of an earlier attempt is still there: {workers_folder / f'{rank}.lock'}"
            ) from None


def _report_path(workers_folder: Path, machine: int) -> Path:
    return workers_folder / f"launcher-{machine}.json"


def _worker_environment(settings: Settings) -> dict[str, str]:
    variables = {"TORCH_CPP_LOG_LEVEL": "ERROR"}
    if settings.machines == 1:  # a machine that knows no network has a loopback
        loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), "")
        variables |= {"GLOO_SOCKET_IFNAME": loopback} if loopback else {}
    return {key: os.environ.get(key, value) for key, value in variables.items()}


# [merged] What a machine does that joins a training: check that it can, and run its workers.


def join_training(plan: Plan, folder: Path, machine: int) -> None:
    """Train along as this machine, until the training ends; raise TrainingFailed."""
    if problems := checks.find_problems(plan):
        raise TrainingFailed("not started\n" + "\n".join(f"  - {p.what}" for p in problems))
    job = training.make_job(plan, folder)
    with one_line_errors(job.settings):
        accelerate_config.write_config(
            job.settings, architecture.decoder_layer_class(job.base_folder), folder
        )
        print_line(
            f"machine {machine} of {job.settings.machines}; {job.settings.address} leads", "joining"
        )
        run_workers(job, machine, {})
