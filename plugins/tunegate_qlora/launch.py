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

from tunegate.files import write_whole
from tunegate.protocols import TrainingFailed

from . import accelerated, shape
from .config import Settings
from .failures import LOST
from .progress import say

if TYPE_CHECKING:
    from .training import Job

KILLED = "the launcher was killed; the same command goes on where it stopped"
PATIENCE = 60.0  # seconds for workers to end; a worker ends as soon as its pipe closes


def learn(
    job: Job, draft: Path, done: Path | None, *, rehearse: bool = False
) -> dict[str, float | int]:
    """Train with the processes of this machine, and those of the others; return the figures.

    `rehearse` has them do what `rehearsal.play` does instead. Raises TrainingFailed with the
    message of the worker that failed first.
    """
    place = job.folder / "workers"
    accelerated.write(job.settings, shape.decoder(job.base), job.folder)
    if job.settings.machines > 1:
        say(f"for the other machines: tunegate join {job.folder.name} --machine 1", "waiting")
    gc.collect()
    if torch.cuda.is_available():  # what the baseline took, the workers want
        torch.cuda.empty_cache()
    (place / "figures.json").unlink(missing_ok=True)  # of an attempt that was killed
    start(job, 0, {"draft": str(draft), "done": done and str(done), "rehearse": rehearse})
    if not (place / "figures.json").is_file():
        raise TrainingFailed(f"the workers ended, and left no figures in {place}")
    figures: dict[str, float | int] = json.loads((place / "figures.json").read_bytes())
    shutil.rmtree(place, ignore_errors=True)  # another machine may still be on its way out
    return figures


def start(job: Job, machine: int, said: Mapping[str, Any]) -> None:
    """Run this machine's workers to their end; raise TrainingFailed."""
    place = job.folder / "workers"
    place.mkdir(parents=True, exist_ok=True)
    own = range(machine * job.settings.processes, (machine + 1) * job.settings.processes)
    _gone(place, own)  # those of an attempt that was killed
    for left in (*(place / f"{rank}.failed" for rank in own), _report(place, machine)):
        left.unlink(missing_ok=True)
    order = place / f"order-{machine}.json"
    told = {"plan": asdict(job.plan), "base": str(job.base), "folder": str(job.folder), **said}
    write_whole(order, json.dumps(told, default=str).encode(), mode=0o600)
    with _launched(job, machine, order) as process:
        code = process.wait()
    _gone(place, own)
    if code:
        raise TrainingFailed(why(place, machine, job.settings))


@contextmanager
def _launched(job: Job, machine: int, order: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Give the launcher's process; whatever ends the block ends it, and its workers."""
    command = [sys.executable, "-m", "tunegate_qlora.launcher", str(_report(order.parent, machine))]
    command += accelerated.command(job.folder, machine, order)[2:]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # the workers read it: when we are gone, so are they
        env=os.environ | _environment(job.settings),
        start_new_session=True,  # Ctrl-C is for us; the workers end when the pipe closes
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def why(place: Path, machine: int, settings: Settings) -> str:
    """Return why a machine's workers failed: a kill, else the first message, else the launcher's.

    A worker whose partner is gone fails too, and later: that tells nobody anything.
    """
    report = _report(place, machine)
    told = json.loads(report.read_bytes()) if report.is_file() else {}
    # The launcher itself ends the others, with SIGTERM.
    ends = {c: r for r, c in told.get("exits", {}).items() if c < 0 and c != -signal.SIGTERM}
    if -signal.SIGKILL in ends:
        return (
            f"process {ends[-signal.SIGKILL]} of {settings.world} was killed (SIGKILL), often for "
            "memory; the same command goes on where it stopped"
        )
    order = place / f"order-{machine}.json"
    begun = order.stat().st_mtime_ns if order.is_file() else 0
    when = {path: path.stat().st_mtime_ns for path in place.glob("*.failed")}
    failed = sorted((path for path in when if when[path] >= begun), key=lambda path: when[path])
    messages = [path.read_text("utf-8") for path in failed]
    causes = [message for message in messages if message != LOST]
    causes += [f"process {r} of {settings.world} crashed (signal {-c})" for c, r in ends.items()]
    ended = [f"process {r} ended with exit code {c}" for r, c in told.get("exits", {}).items()]
    return [*causes, *messages, *ended, str(told.get("error", KILLED))][0]


def gone(job: Job) -> None:
    """Wait until this machine's workers of an earlier attempt are gone; raise TrainingFailed."""
    if (place := job.folder / "workers").is_dir():
        _gone(place, range(job.settings.processes))


def _gone(place: Path, own: range) -> None:
    """Wait until no worker of these ranks is left: each holds a lock as long as it lives."""
    for rank in own:
        try:
            with FileLock(place / f"{rank}.lock", timeout=PATIENCE):
                pass
        except Timeout:
            raise TrainingFailed(
                f"process {rank} of an earlier attempt is still there: {place / f'{rank}.lock'}"
            ) from None


def _report(place: Path, machine: int) -> Path:
    return place / f"launcher-{machine}.json"


def _environment(settings: Settings) -> dict[str, str]:
    told = {"TORCH_CPP_LOG_LEVEL": "ERROR"}
    if settings.machines == 1:  # a machine that knows no network has a loopback
        loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), "")
        told |= {"GLOO_SOCKET_IFNAME": loopback} if loopback else {}
    return {key: os.environ.get(key, value) for key, value in told.items()}
