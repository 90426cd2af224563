"""Killed with -9 at every step, started again: one file, one job, one recorded run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import forking
import pytest
from openai_parts import KEY, Provider

from tunegate.interfaces.trainer import Plan
from tunegate.storage.state_dir import Run, StateDir, run_id

TRAINING = ("-m", "tunegate.gates.training_process")
JOB = "/fine_tuning/jobs/ftjob-1"
STEPS = [
    ("GET /models/.*", 0), ("GET /files", 0), ("POST /files", 0), ("GET /files", 1),
    ("POST /files", 1), ("GET /fine_tuning/jobs", 0), ("POST /fine_tuning/jobs", 0),
    (f"GET {JOB}", 0), (f"GET {JOB}", 3), (f"GET {JOB}/events", 1), ("GET /files/.*/content", 0),
    (f"GET {JOB}/checkpoints", 0),
]  # fmt: skip
pytestmark = pytest.mark.slow


@pytest.fixture
def run(plan: Plan, tmp_path: Path) -> Run:
    """A run whose gate has opened."""
    (tmp_path / "tunegate.toml").write_text("")
    state = StateDir(tmp_path)
    kept = {s: state.store_snapshot(getattr(plan, s).read_bytes()) for s in ("train", "validation")}
    plan = replace(plan, **kept)
    run = Run(state, run_id(plan))
    run.write_intent(plan, [])
    data = {split: {"digest": path.stem} for split, path in kept.items()}
    state.write_sealed(run.folder / "receipt.json", {"run": run.id, "data": data})
    return run


def start(run: Run) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *TRAINING, str(run.folder)],
        env={**os.environ, "OPENAI_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def train(run: Run) -> tuple[int, str]:
    """Train to the end, in a process that nobody kills."""
    env = {**os.environ, "OPENAI_API_KEY": KEY}
    return forking.run_python([*TRAINING, str(run.folder)], Path.cwd(), env)


def until_hanging(process: subprocess.Popen[str], provider: Provider) -> None:
    deadline = time.monotonic() + 60
    while not (provider.folder / "hanging").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)  # a core that looks on is one that the other two processes lack


@pytest.mark.parametrize("when", ["hang before", "hang after"])
@pytest.mark.parametrize(("request_", "skip"), STEPS)
def test_killed(run: Run, provider: Provider, request_: str, skip: int, when: str) -> None:
    provider.fail(request_, when, skip=skip)
    first = start(run)
    until_hanging(first, provider)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    provider.be("released")
    assert not run.finished

    code, printed = train(run)
    assert code == 0, printed
    assert len(provider.uploads) == len(set(provider.uploads)) == 2
    assert len(provider.jobs) == 1
    assert Run(run.state, run.id).record["figures"]["job"] == "ftjob-1"


def test_ctrl_c_detaches(run: Run, provider: Provider) -> None:
    provider.fail(f"GET {JOB}", "hang before", skip=2)
    process = start(run)
    until_hanging(process, provider)
    os.kill(process.pid, signal.SIGINT)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "detached: job ftjob-1 goes on at the provider" in printed
    assert "Traceback" not in printed
    assert provider.jobs[0]["status"] not in ("cancelled", "failed")


def test_two_at_once(run: Run, provider: Provider) -> None:
    provider.fail("POST /fine_tuning/jobs", "hang before")
    first = start(run)
    until_hanging(first, provider)
    code, printed = train(run)
    assert "another process is training it" in printed
    assert code == 70
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    provider.be("released")
    assert (train(run)[0], len(provider.jobs), len(provider.uploads)) == (0, 1, 2)


def test_a_run_is_recorded_once(run: Run, provider: Provider) -> None:
    for _ in range(2):
        code, printed = train(run)
        assert code == 0, printed
    assert (len(provider.jobs), len(provider.uploads)) == (1, 2)
