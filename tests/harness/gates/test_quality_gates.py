"""The quality gates of suites/model on a small project: what they gate, for which task, and say."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

SUITE = Path(__file__).parents[3] / "suites" / "model"
GATES = ("quality", "baseline", "incumbent", "slices", "text", "json", "code")
FILES = ("conftest", *(f"test_{name}" for name in GATES))
COUNTS = {"train": 20, "validation": 6, "test": 40}


@pytest.fixture(scope="module")
def judged_once(trained_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A trained project with 40 test rows in two languages, and the suite's own quality gates."""
    project = type(trained_once)(tmp_path_factory.mktemp("judged"))
    shutil.rmtree(project.root / "suites" / "model")
    for name in FILES:
        project.write(f"suites/model/{name}.py", (SUITE / f"{name}.py").read_text("utf-8"))
    for split, n in COUNTS.items():
        project.write(f"{split}.jsonl", "".join(_row(split, i) for i in range(n)))
    assert project.gate().code == 0
    return project


def _row(split: str, i: int) -> str:
    prompt = str(int(hashlib.sha256(f"{split} {i}".encode()).hexdigest(), 16))
    told = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "ab"[i % 2]}]
    return json.dumps({"messages": told, "language": "pt" if i % 4 else "en"}) + "\n"


@pytest.fixture
def judged(judged_once: Project, tmp_path: Path) -> Project:
    """A copy, yours to spoil."""
    root = tmp_path / "project"
    shutil.copytree(judged_once.root, root, symlinks=True)
    moved = type(judged_once).__new__(type(judged_once))
    moved.root = root
    return moved


def configure(project: Project, top: str = "", limits: str = "") -> None:
    text = (project.root / "tunegate.toml").read_text()
    project.write("tunegate.toml", f"{top}\n{text}\n[limits]\n{limits}\n")


def test_a_good_model_passes_and_n_says_what_it_cannot_show(judged: Project) -> None:
    result = judged.judge()
    assert result.code == 0, result.out
    assert "accuracy: n = 40 does not show >= 95%, but >= 92.8% (95 % sure)" in result.out
    assert re.search(r"^accuracy \[language=pt\] .* none set  30$", result.out, re.MULTILINE)
    lines = [ln for ln in result.out.splitlines() if not ln.startswith("rootdir: ")]
    assert [ln for ln in lines if len(ln) > 80] == []


@pytest.mark.slow
def test_by_the_lower_bound_40_rows_are_too_few(judged: Project) -> None:
    configure(judged, limits='mode = "lower"')
    result = judged.judge()
    assert result.code in (1, 75)
    needed = "accuracy lower bound >= 95% is unmeasurable at n = 40: at least 59 rows are needed"
    assert needed in result.out, result.out


def test_hints_on_near_duplicates_and_on_a_baseline_that_is_good_enough(judged: Project) -> None:
    configure(judged, limits="accuracy = 0\nmacro_f1 = 0")
    twin = (judged.root / "train.jsonl").read_text().splitlines()[0]
    prompt = json.loads(twin)["messages"][0]["content"]
    judged.add("test.jsonl", twin.replace(prompt, prompt[:-1] + "x") + "\n")
    printed = " ".join(judged.judge().out.split())
    assert "1 near-duplicate of a training row set apart; 100.0% on all 41 rows" in printed
    assert "no fine-tuning needed for that" in printed


@pytest.mark.slow
def test_an_incumbent_is_not_to_be_fallen_behind(judged: Project) -> None:
    assert judged.judge("--promote", "production", "--why", "first").code == 0
    configure(judged, 'baseline = "toy:base"', "accuracy = 0\nmacro_f1 = 0\nimprovement = -1")
    result = judged.judge("--promote", "production", model="toy:base")
    assert "E           assert against incumbent -1.0000 >= -0.03" in result.out
    assert "before 40 of 40; 0 gained, 40 lost; McNemar p = 1.8e-12" in result.out
    assert "flips: 40 in test" in result.out
    assert "      1  lost  'a' became '?' for:" in result.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "names"),
    [("qa", ["chrF gained", "chrF  ", "ROUGE-L  "]), ("code", ["parses as python  100.0%"])],
)
def test_other_tasks_have_other_gates(judged: Project, task: str, names: list[str]) -> None:
    pytest.importorskip("sacrebleu")
    configure(judged, f'task = "{task}"')
    result = judged.judge()
    assert result.code == 0, result.out
    assert "accuracy" not in result.out
    assert [name for name in names if name not in result.out] == []
