"""100,000 requests in one session: memory, kill -9, and two sessions on one answer cache."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from endpoint_parts import CONFTEST, SUITE, Told

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc"),
]
MEASURED = (
    CONFTEST
    + """
def pytest_unconfigure():
    with open("/proc/self/status") as status, open("peak", "w") as peak:
        peak.write(status.read())
"""
)
CONNECTIONS = 16
FEW, MANY = 20_000, 100_000
# A row of 330 letters, its answer and its prediction, as they are held; measured: 2,800.
BYTES_PER_ROW = 4_000


def peak(status: str) -> int:
    """Return the most bytes that a process ever held, from its /proc/PID/status."""
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


class Session:
    """A project with so many test rows, whose models answer behind the server."""

    def __init__(self, root: Path, rows: int, server: Told) -> None:
        self.root, self.rows = root, rows
        (root / "suites/model").mkdir(parents=True)
        (root / "suites/model/test_m.py").write_text(SUITE)
        (root / "conftest.py").write_text(MEASURED)
        settings = f'base_url = "{server.url}"\nconnections = {CONNECTIONS}\n'
        tables = f"[models.m]\n{settings}[models.other]\n{settings}"
        (root / "tunegate.toml").write_text(f'[data]\ntest = "test.jsonl"\n{tables}')
        with open(root / "test.jsonl", "w", encoding="utf-8") as file:
            for i in range(rows):
                asked = {"role": "user", "content": f"{'word ' * 50}say {i}"}
                turns = [asked, {"role": "assistant", "content": str(i)}]
                file.write(json.dumps({"messages": turns}) + "\n")

    def start(self, model: str = "m") -> subprocess.Popen[str]:
        outside = ("PYTEST", "CI", "OPENAI", "http_proxy", "HTTP_PROXY")
        env = {k: v for k, v in os.environ.items() if not k.startswith(outside)}
        args = ["-p", "tunegate", "suites/model", "--model", f"openai:{model}"]
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *args], cwd=self.root, text=True,
            env=env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "80"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def finish(self, child: subprocess.Popen[str]) -> str:
        """Wait for a session whose test passes; return what it printed."""
        try:
            out, _ = child.communicate(timeout=600)
        finally:
            child.kill()
        assert child.returncode == 0, out
        return out

    @property
    def peak(self) -> int:
        """The most bytes that the last finished session held."""
        return peak((self.root / "peak").read_text())

    @property
    def kept(self) -> int:
        """How many answers the cache holds."""
        with sqlite3.connect(self.root / ".tunegate" / "answers.sqlite") as db:
            count: int = db.execute("select count(*) from answers").fetchone()[0]
        return count


def test_memory_is_that_of_the_rows_and_kill_9_costs_what_was_in_flight(
    tmp_path: Path, server: Told
) -> None:
    server(brief=True)
    few = Session(tmp_path / "few", FEW, server)
    few.finish(few.start())
    server(forget=True)

    many, half = Session(tmp_path / "many", MANY, server), MANY // 2
    server(brief=True, first=half)
    child = many.start()
    server(**{"await": half + CONNECTIONS})
    deadline = time.monotonic() + 60
    while many.kept < half:  # the last ones may have come, and not be written yet
        assert time.monotonic() < deadline
    killed = peak(Path(f"/proc/{child.pid}/status").read_text())
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    server(release=True)
    out = many.finish(many.start())
    assert f"asked     {half:,} requests" in out
    asked = Counter(server.seen)
    assert len(asked) == many.kept == MANY
    assert asked.total() == MANY + CONNECTIONS  # those that were in flight are asked again

    out = many.finish(many.start())
    assert f"cached    {MANY:,} of {MANY:,} of the candidate" in out
    assert len(server.seen) == asked.total()
    for held in (killed, many.peak):
        assert (held - few.peak) / (MANY - FEW) <= BYTES_PER_ROW
    assert many.peak < MANY / FEW * few.peak * 0.7


def test_two_sessions_at_once_share_a_cache_and_nothing_is_lost(
    tmp_path: Path, server: Told
) -> None:
    server(brief=True)
    rows = FEW // 4
    both = Session(tmp_path, rows, server)
    children = [both.start(model) for model in ("m", "m", "other")]
    for child in children:
        both.finish(child)
    asked = Counter(server.seen)
    assert {*asked.values()} == {2}  # once by each model, though three sessions wanted it
    assert (len(asked), both.kept) == (rows, 2 * rows)
