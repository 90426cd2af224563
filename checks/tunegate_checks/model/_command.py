"""One command on one text, in a folder of its own, for so long and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")  # not the caller's keys
FILE_PLACEHOLDER = "{file}"
MAX_SHOWN_LETTERS = 120  # letters of what a command said


def run_command(command: list[str], text: str, timeout: float, suffix: str) -> str:
    """Return "" where the command ended with status 0, else why not; raises ValueError for none."""
    with tempfile.TemporaryDirectory(prefix="tunegate-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / f"answer{suffix}"
        has_file = any(FILE_PLACEHOLDER in argument for argument in command)
        if has_file:
            path.write_text(text, "utf-8", errors="replace")
        arguments = [argument.replace(FILE_PLACEHOLDER, str(path)) for argument in command]
        return _run_to_end(
            arguments, b"" if has_file else text.encode(errors="replace"), timeout, folder
        )


def _run_to_end(arguments: list[str], text: bytes, timeout: float, folder: str) -> str:
    # A file, not a pipe: a child that outlives its parent would hold a pipe open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as stdin_file:
        stdin_file.write(text)
        stdin_file.seek(0)
        process = _start_process(arguments, stdin_file, output, folder)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"{arguments[0]} took longer than {timeout:g} s"
        finally:
            _kill_session(process)
        output.seek(0, os.SEEK_END)
        output.seek(max(output.tell() - 4_096, 0))
        return f"{arguments[0]} ended with {status}{_last_line(output.read())}" if status else ""


def _start_process(
    arguments: list[str], stdin_file: IO[bytes], output: IO[bytes], folder: str
) -> subprocess.Popen[bytes]:
    kept_variables = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    env = {**kept_variables, "HOME": folder, "TMPDIR": folder}
    try:
        return subprocess.Popen(
            arguments,
            stdin=stdin_file,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
    except OSError as error:
        raise ValueError(f"command {arguments[0]!r} cannot be run: {error.strerror}") from None


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """End the command's whole session, so that nothing it started stays behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(output: bytes) -> str:
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1].strip()[:MAX_SHOWN_LETTERS]}" if lines else ""
