"""`ask`: a candidate that fails, or a suite whose every test has a rule, is not asked all rows."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, call

import pytest

from tunegate.cli.main import main
from tunegate.config.schema import Config
from tunegate.errors import ConfigError
from tunegate.gates.model_gate import ModelGate
from tunegate.interfaces.model import Budget
from tunegate.models.spec import Candidate
from tunegate.pytest_plugin.fixtures import tests_for_other_tasks as other_tasks
from tunegate.session.context import SessionContext

if TYPE_CHECKING:
    from conftest import Project

SUITES = Path(__file__).parents[3] / "suites" / "model"
RIGHT = 'def say(messages): return "ab"[int(messages[-1]["content"].split()[-1]) % 2]\n'
POOR = 'def say(messages): return "a"\n'
SETTINGS = 'ask = "sequential"\n'
DYNAMIC = """
@pytest.fixture(scope="session")
def built(predictions):
    return len(predictions)

def test_any(request):
    assert request.getfixturevalue("predictions")

def test_built(request):
    assert request.getfixturevalue("built")

def test_other(label_rule):
    assert label_rule
"""
LIMITS = "[limits]\nsimilarity = 1  # the rows of the toy data are near to each other\n"


@pytest.fixture
def large(project: Project, example_row: Any) -> Project:
    """A project with 240 test rows, and the quality suite."""
    project.write("tunegate.toml", SETTINGS + (project.root / "tunegate.toml").read_text() + LIMITS)
    rows = (example_row(f"question {n}", "ab"[n % 2]) for n in range(1_000, 1_240))
    project.write("test.jsonl", "".join(rows))
    project.write("right.py", RIGHT)
    project.write("poor.py", POOR)
    (project.root / "suites/model/test_m.py").unlink()
    for name in ("conftest", "test_quality", "test_slices"):
        shutil.copy(SUITES / f"{name}.py", project.root / "suites/model")
    return project


def scorecard(project: Project) -> dict[str, Any]:
    (path,) = (project.root / ".tunegate/evaluations").glob("*/scorecards/*.json")
    card: dict[str, Any] = json.loads(path.read_text())
    return card


def test_a_candidate_that_fails_is_asked_no_more(
    large: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = large.judge(model="python:poor:say")
    assert result.code == 1
    needy = "a pass takes all rows (test_macro_f1 needs them; 2 tests have no rule)"
    assert result.line("ask ") == f"sequential: {needy}"
    why = re.search(r"accuracy >= 0\.95 \(point\) fails early: (\d+) of 20 wrong, .*", result.out)
    assert why is not None, result.out
    card = scorecard(large)
    stop = card["stopped"]
    assert (stop["rows"], stop["of"], stop["passed"]) == (20, 240, False)
    assert (card["predictions"]["n"], card["predictions"]["right"]) == (20, 20 - int(why[1]))
    closed = result.line("gate ")
    assert closed.startswith("closed: 1 error in setup: suites/model/test_quality.py::")
    order = f"stopped early, order {stop['seed']}, look 1"
    said = f"; 20 of 240 test rows, 220 not asked ({order}): never promotable; accuracy >="
    assert said in closed

    monkeypatch.chdir(large.root)
    assert main(["failures", "latest"]) == 0
    assert f"{why[1]} of 20" in capsys.readouterr().out


@pytest.mark.slow
def test_a_suite_whose_every_test_has_a_rule_passes_early(large: Project) -> None:
    quality = (large.root / "suites/model/test_quality.py").read_text()
    large.write("suites/model/test_quality.py", quality[: quality.index("def test_macro_f1")])
    (large.root / "suites/model/test_slices.py").unlink()
    result = large.judge(model="python:right:say")
    assert result.code == 0, result.out
    stop = scorecard(large)["stopped"]
    assert 20 < stop["rows"] < 240
    assert "passes early: 0 of" in stop["why"][0]
    left = f"{stop['rows']} of 240 test rows, {240 - stop['rows']} not asked"
    assert result.line("gate ").startswith(f"open: the test of the suite passed; {left}")
    assert " ".join(result.out.split()).count(left) == 2  # under the scores, too


BETTER = """
import pytest
from tunegate_checks.model import compare, stopping

@pytest.mark.decided_by(rule=stopping.BetterThanBaseline)
def test_better(clean, baseline):
    assert compare.superior(clean, over=baseline, alpha=stopping.ALPHA_LEFT)
"""


@pytest.mark.slow
@pytest.mark.parametrize("worse", [False, True])
def test_a_claim_about_two_models_is_decided_early(large: Project, worse: bool) -> None:
    config = (large.root / "tunegate.toml").read_text()
    models = ["python:right:say", "python:poor:say"]
    model, other = reversed(models) if worse else models
    large.write("tunegate.toml", f'baseline = "{other}"\n{config}')
    large.write("suites/model/test_quality.py", BETTER)
    (large.root / "suites/model/test_slices.py").unlink()
    result = large.judge(model=model)
    assert result.code == int(worse), result.out
    stop = scorecard(large)["stopped"]
    assert 20 <= stop["rows"] < 240
    assert f"better {'is not shown, fails' if worse else 'passes'} early" in stop["why"][0]


@pytest.mark.slow
def test_a_test_without_a_rule_gets_no_part_of_the_rows(large: Project) -> None:
    quality = (large.root / "suites/model/test_quality.py").read_text()
    quality = quality[: quality.index("def test_macro_f1")] + DYNAMIC
    large.write("suites/model/test_quality.py", quality)
    (large.root / "suites/model/test_slices.py").unlink()
    result = large.judge(model="python:right:say")
    assert result.code == 1
    assert scorecard(large)["stopped"]["passed"]
    for name in ("test_any", "test_built"):
        advice = 'add the marker decided_by(rule=...), or set ask = "all"'
        assert f"{name}: not all rows were asked; {advice}" in result.out
    assert result.line("gate ").startswith("closed: 2 failed: "), result.out


@pytest.mark.parametrize(
    "mark",
    [
        pytest.mark.decided_by,
        pytest.mark.decided_by.with_args(Budget),
        pytest.mark.decided_by(rule=3),
    ],
)
def test_a_marker_without_a_rule_is_one_line(mark: pytest.MarkDecorator) -> None:
    item: Any = SimpleNamespace(
        nodeid="t.py::test_a", iter_markers=lambda name: [mark.mark] * (name == "decided_by")
    )
    with pytest.raises(pytest.UsageError, match=r"^t.py::test_a: .* mark.decided_by\(rule=CLASS\)"):
        other_tasks([item], Config())


@pytest.mark.parametrize(("checkpoint", "recorded"), [("", 0), ("best", 0), ("?a=1", 1)])
def test_what_decodes_otherwise_is_recorded_beside_its_scorecard(
    tmp_path: Path, checkpoint: str, recorded: int
) -> None:
    run = Mock(scorecard_path=lambda name: tmp_path / name)
    candidate = Candidate("toy:x?a=1", run, "digest", checkpoint)
    session = SimpleNamespace(candidate=candidate)
    gate: Any = SimpleNamespace(session=session, alias=None, replays=False)
    assert ModelGate._keep(gate, {"candidate": "", "limit": 1}, "card") == []
    assert (tmp_path / "card").exists()
    assert run.add_checkpoint.mock_calls == [call("?a=1", "toy:x?a=1", "digest")] * recorded


@pytest.mark.parametrize(
    ("setting", "budget", "limit", "ask"),
    [
        (None, Budget(), 0, "all"),
        (None, Budget(requests=5), 0, "certain"),
        (None, Budget(cost=0.0), 0, "certain"),
        ("all", Budget(cost=1), 0, "all"),
        ("sequential", Budget(cost=1, spent=0.5), 0, "sequential"),
        ("sequential", Budget(), 9, "all"),
    ],
)
def test_a_budget_asks_what_is_needed_to_be_certain(
    setting: Any, budget: Budget, limit: int, ask: str
) -> None:
    session = SimpleNamespace(
        limit=limit, repeat=1, budget=budget, config=Config(ask=setting), is_shadow=False
    )
    assert SessionContext.ask.fget(session) == ask  # type: ignore[attr-defined]


def test_another_word_is_one_line(project: Project) -> None:
    project.write("tunegate.toml", 'ask = "some"\n')
    with pytest.raises(ConfigError, match="ask"):
        _ = SessionContext(project.root, project.root, None, print).config  # type: ignore[arg-type]
