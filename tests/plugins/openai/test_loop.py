"""The whole loop over the protocol: data suite, job, model suite, promotion, rollback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import forking
import pytest
from openai_parts import KEY, Provider, example

CONFIG = """\
[data]
train = "train.jsonl"
validation = "validation.jsonl"
test = "test.jsonl"
[models.openai]
base_url = "{url}"
[train.openai]
base = "small-1"
base_url = "{url}"
longest_poll = 0
price_per_million = {price}
"""
DATA = """\
def test_size(train, validation, test):
    assert len(train) > len(test)
"""
MODEL = """\
from tunegate_checks.model import classification

def test_accuracy(predictions, baseline):
    assert classification.accuracy(predictions) >= 0.95
"""


@pytest.fixture
def project(tmp_path: Path, provider: Provider) -> Path:
    """A project whose trainer is the provider."""
    root = tmp_path / "project"
    files = {
        "tunegate.toml": CONFIG.format(url=provider.url, price=25.0),
        "suites/data/test_d.py": DATA,
        "suites/model/test_m.py": MODEL,
        "train.jsonl": "".join(map(example, range(12))),
        "validation.jsonl": "".join(map(example, range(20, 24))),
        "test.jsonl": "".join(map(example, range(30, 38))),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def pytest_in(project: Path, *args: str) -> tuple[int, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    env |= {"OPENAI_API_KEY": KEY, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return forking.run_python(["-m", *args], project, env)


def gate(project: Path, *args: str) -> tuple[int, str]:
    suite = ("pytest", "-p", "tunegate", "suites/data", "--train-with", "openai")
    return pytest_in(project, *suite, *args)


def judge(project: Path, model: str, *args: str) -> tuple[int, str]:
    return pytest_in(project, "pytest", "-p", "tunegate", "suites/model", "--model", model, *args)


@pytest.mark.slow
def test_the_loop(project: Path, provider: Provider) -> None:
    code, out = gate(project)
    assert code == 0, out
    assert "0 of 8 answers right" in out  # the baseline, measured before anything is paid for
    assert "openai    job ftjob-1: succeeded" in out
    log = provider.state["log"]
    assert log.index("POST /chat/completions") < log.index("POST /fine_tuning/jobs")

    code, out = judge(project, "latest", "--promote", "production")
    assert code == 0, out
    (entry,) = map(json.loads, (project / "registry.jsonl").read_text().splitlines())
    assert entry["model"].startswith("openai:ft:small-1:org::ftjob-1")

    (run,) = (path.parent.name for path in project.glob(".tunegate/runs/*/run.json"))
    code, out = judge(project, f"run:{run}@step-2", "--promote", "staging")
    assert code == 0, out
    assert "staging is now run:" in out
    assert "@step-3'" in judge(project, f"run:{run}@step-3")[1] or "no checkpoint 'step-3'; it has"

    assert gate(project)[0] == 0  # trained on exactly this before
    (project / "tunegate.toml").write_text(CONFIG.format(url=provider.url, price=30.0))
    assert "nothing to do" in gate(project)[1]  # another price is no other training
    assert len(provider.jobs) == 1
    written = [p for p in project.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]
    assert written == []


def test_too_dear(project: Path, provider: Provider) -> None:
    code, out = gate(project, "--max-cost", "0.001")
    assert code == 70
    assert "max_cost is $0.00" in out
    assert provider.jobs == []
    assert "POST /chat/completions" not in provider.state["log"]


@pytest.mark.slow
def test_the_commands(project: Path, provider: Provider) -> None:
    provider.fail("GET /fine_tuning/jobs/.*", "401 before")
    code, out = gate(project)
    assert code == 70
    (run,) = (path.parent.name for path in project.glob(".tunegate/runs/*/intent.json"))
    assert pytest_in(project, "tunegate", "job", run)[1].startswith("job ftjob-1: ")
    assert "paused" in pytest_in(project, "tunegate", "job", run[:6], "--pause")[1]
    assert "running" in pytest_in(project, "tunegate", "job", run, "--unpause")[1]
    code, out = pytest_in(project, "tunegate", "resume", run)
    assert code == 0, out
    assert f"run {run} is finished" in out
    assert len(provider.jobs) == 1
    assert "cancelled" in pytest_in(project, "tunegate", "job", run, "--cancel")[1]
    assert "no run 'zzz'" in pytest_in(project, "tunegate", "job", "zzz")[1]
