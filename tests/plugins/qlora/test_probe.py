"""`--probe` with real trainings of a tiny base, and the trainers that it is refused to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_llama import ticket, write

SUITE = "def test_rows(dataset):\n    assert len(dataset)\n"
CONFIG = """\
[data]
train = "train.jsonl"
validation = "validation.jsonl"

[limits]
accuracy = 0.9

[train.qlora]
base = "base"
method = "lora"
compute = "float32"
epochs = 12
batch = 4
learning_rate = 5e-3
max_length = 128
max_new_tokens = 12

[train.openai]
base = "gpt-4o-mini"
"""


def probe(root: Path, trainer: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "suites/data", "--train-with", trainer, "--probe"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")} | {"COLUMNS": "200"}
    return subprocess.run(
        [*command, "-p", "no:cacheprovider"], cwd=root, env=env, capture_output=True, text=True
    )


@pytest.fixture
def tickets(tmp_path: Path, base: Path) -> Path:
    """A project of 160 training rows, 120 validation rows and the tiny base."""
    (tmp_path / "base").symlink_to(base)
    write(tmp_path / "train.jsonl", [ticket(i) for i in range(160)])
    write(tmp_path / "validation.jsonl", [ticket(i, "held") for i in range(120)])
    (tmp_path / "suites/data").mkdir(parents=True)
    (tmp_path / "suites/data/test_it.py").write_text(SUITE)
    (tmp_path / "tunegate.toml").write_text(CONFIG)
    return tmp_path


@pytest.mark.slow
def test_three_trainings_of_the_real_base_and_none_the_second_time(tickets: Path) -> None:
    first = probe(tickets, "qlora")
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("training  lora, ") == 3
    found = re.findall(r"(\d+) of 160 rows: (\d+) of 120 validation rows wrong", first.stdout)
    assert [int(rows) for rows, _ in found] == [20, 40, 80]
    wrong = [int(n) for _, n in found]
    assert wrong[2] < 120  # it learns
    (curve,) = [line for line in first.stdout.splitlines() if line.startswith("curve")]
    assert "90%" in curve
    assert "baseline" not in first.stdout
    assert not list(tickets.glob(".tunegate/runs/*"))
    assert not list(tickets.glob(".tunegate/probe/runs/*/adapter"))
    second = probe(tickets, "qlora")
    assert "training  lora" not in second.stdout
    assert curve in second.stdout


def test_openai_is_refused_before_any_test(tickets: Path) -> None:
    result = probe(tickets, "openai")
    assert result.returncode == 4
    said = "--train-with openai --probe: it does not train on parts of the rows; valid: qlora"
    assert said in result.stderr + result.stdout


def test_several_machines_are_refused(tickets: Path) -> None:
    several = 'machines = 2\naddress = "127.0.0.1:29500"\n\n[train.openai]'
    text = CONFIG.replace("\n[train.openai]", several)
    (tickets / "tunegate.toml").write_text(text)
    result = probe(tickets, "qlora")
    assert result.returncode == 4
    assert "--train-with qlora --probe: machines is 1 in a probe" in result.stderr + result.stdout
