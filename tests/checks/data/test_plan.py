"""`tunegate data plan` prints what the gates would do with so many rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.cli.main import main
from tunegate_checks import stats

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def printed(capsys: Out, *options: str, code: int = 0) -> str:
    assert main(["data", "plan", *options]) in (code, None)
    out, err = capsys.readouterr()
    return err if code else out


def test_the_plan_of_the_docs(capsys: Out) -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text("utf-8")
    command, _, shown = page.partition("$ tunegate data plan ")[2].partition("\n")
    assert printed(capsys, *command.split()) == shown.partition("```")[0]


def test_limits_are_those_of_the_project(tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "tunegate.toml").write_text('[limits]\naccuracy = 0.8\nmode = "lower"\n')
    n = stats.rows_for_limit(0.8, 0.9, "lower")
    out = printed(capsys)
    assert f"rows      {n:,} (mode lower)\n" in out
    assert f"accuracy >= 0.8: {stats.errors_allowed(n, 0.8)} may be wrong" in out


def test_two_models_cost_twice(capsys: Out) -> None:
    out = printed(capsys, "--paired", "--ask-cost", "1", "--classes", "2")
    n = stats.rows_for_pair(0, 0.06, 0.03, "point")
    assert f"${2 * n}.00 to ask once" in out
    assert f"{n:,} rows of each, {2 * n:,} in all" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--limit 1.5", "--limit 1.5: a number from 0.0001 to 0.9999 is valid"),
        ("--label-cost -1", "--label-cost -1: a number from 0 to inf is valid"),
        ("--accuracy 0.9", "--accuracy 0.9 takes more than 1,000,000 rows: well above"),
        ("--paired --difference -0.05", "--difference -0.05 takes more than 1,000,000 rows"),
    ],
)
def test_a_number_that_cannot_be_is_one_line(options: str, message: str, capsys: Out) -> None:
    error = printed(capsys, *options.split(), code=2)
    assert message in error
    assert len(error.splitlines()) == 1
