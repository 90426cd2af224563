"""Whole sessions of pytest against a real server: killed, interrupted, out of money."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import forking
import pytest
from endpoint_parts import CONFTEST, SUITE, Told

ROWS = 40


class Project:
    """A project whose candidate answers behind the server."""

    def __init__(self, root: Path, server: Told) -> None:
        self.root, self.server = root, server
        self.write("suites/model/test_m.py", SUITE)
        self.write("conftest.py", CONFTEST)
        settings = f'base_url = "{server.url}"\nconnections = 4\nprice_in = 1\nprice_out = 1\n'
        self.write("tunegate.toml", f'[data]\ntest = "test.jsonl"\n[models.m]\n{settings}')
        rows = [
            [{"role": "user", "content": f"say {i}"}, {"role": "assistant", "content": str(i)}]
            for i in range(ROWS)
        ]
        self.write("test.jsonl", "".join(json.dumps({"messages": m}) + "\n" for m in rows))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def command(self, *args: str) -> tuple[list[str], dict[str, str]]:
        """Return the arguments of Python that run the model suite, and the environment."""
        outside = ("PYTEST", "PY_COLORS", "CI", "OPENAI", "http_proxy", "HTTP_PROXY")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(outside)}
        clean |= {"COLUMNS": "80", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        plugins = ["-p", "tunegate", *(["-p", "xdist"] if "-n" in args else [])]
        command = ["-m", "pytest", *plugins, "suites/model", "--model", "openai:m", *args]
        return command, clean

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start the model suite."""
        command, env = self.command(*args)
        return subprocess.Popen(
            [sys.executable, *command], cwd=self.root, env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *args: str) -> tuple[int, str]:
        """Run the model suite; returns the exit status and what it printed."""
        command, env = self.command(*args)
        return forking.run_python(command, self.root, env)

    @property
    def kept(self) -> int:
        """How many answers the cache holds."""
        with sqlite3.connect(self.root / ".tunegate" / "answers.sqlite") as db:
            count: int = db.execute("select count(*) from answers").fetchone()[0]
        return count


@pytest.fixture
def project(tmp_path: Path, server: Told) -> Project:
    return Project(tmp_path, server)


CHILD = """
import sys
from pathlib import Path
from tunegate import Dataset
from tunegate.models.predict import predict
from tunegate.storage.state_dir import StateDir
from tunegate_endpoints.model import open_openai
root = Path.cwd()
model, test = open_openai("m", root), Dataset.read(root / "test.jsonl", "test")
predict(model, test, StateDir(root), lambda done, *_: print(done, flush=True))
"""


def test_killed_in_the_middle_it_loses_what_was_in_flight(project: Project, server: Told) -> None:
    server(first=10)  # the others are held
    command = [sys.executable, "-c", CHILD]
    child = subprocess.Popen(command, cwd=project.root, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if line == "10\n":
            break
    in_flight = set(server(**{"await": 14})["busy"])
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert (child.returncode, project.kept, len(in_flight)) == (-signal.SIGKILL, 10, 4)
    server(release=True)
    subprocess.run(command, cwd=project.root, stdout=subprocess.DEVNULL, check=True)
    seen = server.seen
    assert {prompt for prompt in seen if seen.count(prompt) > 1} == in_flight
    assert (len(seen), project.kept) == (ROWS + 4, ROWS)


def test_interrupted_it_keeps_what_came(project: Project, server: Told) -> None:
    server(first=10)
    child = project.start()
    try:
        server(**{"await": 14})
        deadline = time.monotonic() + 60
        while project.kept < 10:  # the last ones may have come, and not be written yet
            assert time.monotonic() < deadline
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=120)
    finally:
        child.kill()  # else it would ask the server of the next test
    assert child.returncode == 130, out
    assert "Traceback" not in out
    assert project.kept == 10
    assert "gate      closed" in out


@pytest.mark.slow
def test_errors_that_decide_are_unmeasurable_and_asked_again(
    project: Project, server: Told
) -> None:
    server.does(*[{"status": 400, "text": '{"detail": "no"}'}] * 4)
    code, out = project.run()
    assert code == 75, out
    assert "accuracy >= 95% is unmeasurable" in out
    assert (len(server.seen), project.kept) == (ROWS, ROWS - 4)
    code, out = project.run(
        "--max-cost", "0.01"
    )  # enough for a few at once, and for all in the end
    assert code == 0, out
    assert "asked     4 requests, $0.0001 of $0.01" in out
    assert (len(server.seen), project.kept) == (ROWS + 4, ROWS)


def test_the_budget_of_a_session(project: Project, server: Told) -> None:
    code, out = project.run("--max-requests", "15")
    assert code == 75, out
    said = "asked     15 of 15 requests, $0.0002; that is spent: what came is kept, run again"
    assert said.split() == out[out.index("asked  ") :].split()[: len(said.split())]
    assert len(server.seen) == project.kept == 15


@pytest.mark.slow
def test_a_wrong_key_is_said_once(project: Project, server: Told) -> None:
    server(always={"status": 401, "text": '{"error": {"message": "bad key"}}'})
    code, out = project.run()
    assert code == 75, out
    assert out.count("401: bad key") <= 2  # where it happened, and in the summary
    assert "Traceback" not in out
    assert len(server.seen) <= 4


@pytest.mark.slow
def test_a_bound_without_prices_ends_at_the_start(project: Project) -> None:
    code, out = project.run("--model", "openai:o?base_url=http://h", "--max-cost", "1")
    assert code == 4, out
    assert "set price_in and price_out" in " ".join(out.split())


@pytest.mark.slow
def test_many_processes_cannot_share_a_bound(project: Project) -> None:
    code, out = project.run("--max-requests", "3", "-n", "2")
    assert code == 4, out
    assert "--max-requests with -n: a budget is spent by one process" in out
