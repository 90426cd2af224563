"""Worker processes: how many this machine has CPUs for, and how they end with their parent."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

WORKERS_VARIABLE = "TUNEGATE_WORKERS"
MAX_OUTPUT_BYTES = 4_096  # read from the end of what a process wrote


def worker_count() -> int:
    """Return how many processes row checks may use: the CPUs of this process.

    xdist's workers share them. TUNEGATE_WORKERS (for CPU quotas) overrides; ValueError if under 1.
    """
    if (value := os.environ.get(WORKERS_VARIABLE)) is not None:
        if not (value.isascii() and value.isdigit() and int(value) > 0):
            needed = "a whole number of 1 or more is valid"
            raise ValueError(f"{WORKERS_VARIABLE} is {value!r}; {needed}")
        return int(value)
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, cpus // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def end_session(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started with `start_new_session=True`, and all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_line(output: IO[bytes], letters: int) -> str:
    """Return the beginning of the last line that is not blank of what was written; "" for none."""
    output.seek(0, os.SEEK_END)
    output.seek(max(output.tell() - MAX_OUTPUT_BYTES, 0))
    lines = [line.strip() for line in output.read().decode(errors="replace").splitlines()]
    return next((line[:letters] for line in reversed(lines) if line), "")


def wait_for_stdin() -> None:
    """Wait until the parent is gone, even by SIGKILL: it holds our standard input open."""
    while os.read(0, 1):
        pass


def exit_with_parent(
    on_parent_exit: Callable[[], object], wait_for_parent: Callable[[], object] = wait_for_stdin
) -> None:
    """Call a function once, from a daemon thread, when waiting for the parent has ended."""

    def watch() -> None:
        wait_for_parent()
        on_parent_exit()

    threading.Thread(target=watch, daemon=True).start()
