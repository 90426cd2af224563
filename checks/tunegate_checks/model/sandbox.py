"""One command on one text, in a folder of its own, for so long and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")  # not the caller's keys
FILE = "{file}"
SHOWN = 120  # letters of what a command said


def run(command: list[str], text: str, timeout: float, suffix: str) -> str:
    """Return "" where the command ended with status 0, else why not; raises ValueError for none."""
    with tempfile.TemporaryDirectory(prefix="tunegate-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / f"answer{suffix}"
        given = any(FILE in word for word in command)
        if given:
            path.write_text(text, "utf-8", errors="replace")
        words = [word.replace(FILE, str(path)) for word in command]
        return _ended(words, b"" if given else text.encode(errors="replace"), timeout, folder)


def _ended(words: list[str], text: bytes, timeout: float, folder: str) -> str:
    # A file, not a pipe: a child that outlives its parent would hold a pipe open.
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as asked:
        asked.write(text)
        asked.seek(0)
        process = _start(words, asked, said, folder)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"{words[0]} took longer than {timeout:g} s"
        finally:
            _kill(process)
        said.seek(0, os.SEEK_END)
        said.seek(max(said.tell() - 4_096, 0))
        return f"{words[0]} ended with {status}{_last(said.read())}" if status else ""


def _start(
    words: list[str], asked: IO[bytes], said: IO[bytes], folder: str
) -> subprocess.Popen[bytes]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    env = {**kept, "HOME": folder, "TMPDIR": folder}
    try:
        return subprocess.Popen(
            words,
            stdin=asked,
            stdout=said,
            stderr=said,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
    except OSError as error:
        raise ValueError(f"command {words[0]!r} cannot be run: {error.strerror}") from None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the command's whole session, so that nothing it started stays behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last(said: bytes) -> str:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1].strip()[:SHOWN]}" if lines else ""
