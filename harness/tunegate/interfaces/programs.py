"""Programs in any language as checks and as models: JSON lines in, JSON lines out.

A program is started once, in the project's root. On standard input it gets one JSON object a line,
in UTF-8, and then the end of the file; on standard output it writes one a line, in any order, and
ends with status 0. What it writes to standard error is shown where it fails.

A check (`[checks.NAME]`) gets the rows of a split: `row` (from 0), `line`, `split`, `messages`,
`prompt`, `reply`, `label`, and `fields`, the row as it stands in the file. It writes a line for
each fault: `row` (not where it is of the whole split), `kind`, `evidence`, `hint` (true: advice).

A model (`[models.NAME]`, asked as `program:NAME`) gets requests: `row`, `messages`, `tools`. It
writes a line for each: `row`, and `content`, or `tool_calls`, or `error`; `reasoning`, and
`latency` in seconds and `tokens` where it measures them.
"""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from ..errors import ConfigError
from ..utils.processes import end_session, last_line
from ..utils.strict_json import Unreadable, parse_strict

MAX_LINE_BYTES = 4_000_000
MAX_OUTPUT_BYTES = 256_000_000
MAX_SHOWN_LETTERS = 200  # of the last line of standard error
# RLIMIT_DATA: address space alone, which V8 and the JVM reserve in plenty, is not counted.
WITH_MEMORY_LIMIT = ("/bin/sh", "-c", 'ulimit -d "$0" && exec "$@"')

Lines = Iterable[Mapping[str, Any]]  # each becomes a JSON object


class ProgramFailed(ConfigError):
    """A program cannot be run, ends otherwise than with 0, or writes what the protocol has not."""


@dataclass(frozen=True)
class Program:
    """A command, run without a shell, and its bounds.

    `timeout`: the most seconds in which it neither reads nor writes; `memory`: megabytes of each of
    its processes. It is known by the files that it names, and `files`, patterns below the root.
    """

    name: str
    command: tuple[str, ...]
    root: Path
    files: tuple[str, ...] = ()
    timeout: float = 60.0
    memory: int = 4_096

    def source_files(self) -> list[Path]:
        """Return the files that decide what the program does; raises ProgramFailed for none."""
        paths = (self.root / word for word in self.command)  # an interpreter lies outside
        named = {p for p in paths if p.is_relative_to(self.root) and os.path.isfile(p)}
        for pattern in self.files:
            if not (found := glob(str(self.root / pattern), recursive=True)):
                raise ProgramFailed(f"{self}: files names {pattern!r}, and there is no such file")
            named |= {path for path in map(Path, found) if path.is_file()}
        if not named:
            raise ProgramFailed(f"{self} names no file of the project: name its own in `files`")
        return sorted(named)

    def exchange(self, lines: Lines) -> Iterator[dict[str, Any]]:
        """Yield each object that the program writes, as soon as it is there.

        Raises ProgramFailed, also on an early end, or what `lines` raise; what was yielded holds.
        """
        failures: list[Exception] = []
        with tempfile.TemporaryFile() as errors:
            try:
                name = self.command[0]
                if not shutil.which(str(self.root / name) if "/" in name else name):
                    raise OSError(0, f"no program {name!r}: install it, or change `command`")
                process = subprocess.Popen(
                    [*WITH_MEMORY_LIMIT, str(self.memory * 1_000), *self.command], cwd=self.root,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise ProgramFailed(f"{self} cannot be run: {error.strerror}") from None
            try:
                for number, line in enumerate(self._output(process, lines, failures), start=1):
                    try:
                        value = parse_strict(line.decode(errors="replace"))
                    except Unreadable:
                        value = None
                    if not isinstance(value, dict):
                        shown = line[:MAX_SHOWN_LETTERS].decode(errors="replace").strip()
                        wrong = f"line {number} of its output is no JSON object: {shown}"
                        raise ProgramFailed(f"{self}: {wrong}")
                    yield value
                status = process.wait(self.timeout)
            except subprocess.TimeoutExpired:
                raise ProgramFailed(f"{self} did nothing for {self.timeout:g} s") from None
            finally:
                end_session(process)
            if status:
                last = last_line(errors, MAX_SHOWN_LETTERS)
                raise ProgramFailed(f"{self} ended with status {status}{last and f': {last}'}")
        for failure in failures:
            if isinstance(failure, BrokenPipeError):
                raise ProgramFailed(f"{self} ended before it had read all lines") from None
            raise failure

    def _output(
        self, process: subprocess.Popen[bytes], lines: Lines, failures: list[Exception]
    ) -> Iterator[bytes]:
        """Write the input in one thread, read the output in another, and yield its lines."""
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout
        output: SimpleQueue[bytes] = SimpleQueue()
        wrote_at = [time.monotonic()]

        def write() -> None:
            try:
                with stdin:
                    for line in lines:
                        text = json.dumps(line, ensure_ascii=False, default=str)
                        stdin.write(text.encode(errors="replace") + b"\n")
                        wrote_at[0] = time.monotonic()
            except Exception as error:  # the other end is closed, or a line cannot be made
                failures.append(error)

        def read() -> None:
            with stdout:
                while line := stdout.readline(MAX_LINE_BYTES + 1):
                    output.put(line)
            output.put(b"")

        writer, reader = (threading.Thread(target=run, daemon=True) for run in (write, read))
        writer.start()
        reader.start()
        total = 0
        while True:
            try:
                line = output.get(timeout=self.timeout)
            except Empty:
                if time.monotonic() - wrote_at[0] < self.timeout:
                    continue
                raise subprocess.TimeoutExpired(self.command, self.timeout) from None
            if not line:
                writer.join(self.timeout)
                if writer.is_alive():  # nobody reads what is left
                    failures.append(BrokenPipeError())
                return
            total += len(line)
            if len(line) > MAX_LINE_BYTES or total > MAX_OUTPUT_BYTES:
                line_mb, all_mb = MAX_LINE_BYTES / 1e6, MAX_OUTPUT_BYTES / 1e6
                most = f"at most {line_mb:g} MB a line and {all_mb:g} MB in all are read"
                raise ProgramFailed(f"{self} writes too much: {most}")
            if line.strip():
                yield line

    def __str__(self) -> str:
        """Return the name with the command, as messages show it."""
        return f"program {self.name} ({' '.join(self.command)})"
