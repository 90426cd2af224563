"""Run one command on one text, in a temporary folder and for a limited time."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")  # never API keys
FILE_PLACEHOLDER = "{file}"
MAX_OUTPUT_BYTES = 4_096  # read from the end of the output
MAX_SHOWN_LETTERS = 120  # of its last line


def run_command(command: list[str], text: str, timeout: float, suffix: str) -> str:
    """Return "" where the command ends with status 0, else a line that says why not.

    The text goes to the file that `{file}` stands for in `command`, or else to standard input. The
    environment has no variables of the caller but KEPT_VARIABLES. Everything that the command
    started is killed when it ends, or after `timeout` seconds. Raises ValueError for a command that
    cannot be run.
    """
    # The output goes to a file: a child that outlives the command would hold a pipe open.
    with (
        tempfile.TemporaryDirectory(prefix="tunegate-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as stdin_file,
    ):
        path = Path(folder) / f"answer{suffix}"
        if any(FILE_PLACEHOLDER in argument for argument in command):
            path.write_text(text, "utf-8", errors="replace")
        else:
            stdin_file.write(text.encode(errors="replace"))
            stdin_file.seek(0)
        arguments = [argument.replace(FILE_PLACEHOLDER, str(path)) for argument in command]
        kept_variables = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        try:
            process = subprocess.Popen(
                arguments, stdin=stdin_file, stdout=output, stderr=output, cwd=folder,
                env={**kept_variables, "HOME": folder, "TMPDIR": folder}, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            reason = f"command {arguments[0]!r} cannot be run: {error.strerror}"
            raise ValueError(reason) from None
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"{arguments[0]} took longer than {timeout:g} s"
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # its whole session
            process.wait()
        if not status:
            return ""
        output.seek(0, os.SEEK_END)
        output.seek(max(output.tell() - MAX_OUTPUT_BYTES, 0))
        last_lines = output.read().decode(errors="replace").splitlines()
        shown = [line.strip()[:MAX_SHOWN_LETTERS] for line in last_lines if line.strip()][-1:]
        return ": ".join([f"{arguments[0]} ended with {status}", *shown])
