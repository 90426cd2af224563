"""Human labels: what is read, and the one message that a mistake gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from judges import SCALE, YES_NO

from tunegate.errors import ConfigError
from tunegate_checks.judge.calibration import HumanLabels, load_human_labels
from tunegate_checks.judge.rubric import Rubric

BOTH = {"polite": True, "helpful": False}


def labels(path: Path, *rows: Any, rubric: Rubric = YES_NO) -> HumanLabels:
    file = path / "labels.jsonl"
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    file.write_text(text + "\n", "utf-8")
    return load_human_labels(file, rubric)


def row(**more: Any) -> dict[str, Any]:
    return {"prompt": "hi?", "answer": "yes", **more}


def test_verdicts_and_comparisons(tmp_path: Path) -> None:
    read = labels(tmp_path, row(verdicts=BOTH, who="ana"), "", row(other="no", better="other"))
    ((graded,), (compared,)) = read.graded, read.compared
    assert (graded.item.answer, graded.marks) == ("yes", BOTH)
    assert (compared.item.answer, compared.other, compared.better) == ("yes", "no", "b")


def test_scores(tmp_path: Path) -> None:
    assert labels(tmp_path, row(score=5), rubric=SCALE).graded[0].marks == {"score": 5}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["{"], "line 1: "),
        (["[]"], "line 1: not an object; needed: "),
        ([row(verdicts=BOTH), "", row(verdicts=BOTH)], "line 3: the same answer as in line 1"),
        ([{"prompt": "p"}], "line 1: answer is missing"),
        ([row()], "line 1: one of verdicts, score, or other with better"),
        ([row(verdicts=BOTH, better="other")], "line 1: one of verdicts, score"),
        ([row(other="no")], "line 1: one of verdicts, score"),
        ([row(verdicts={"polite": True})], "'support' wants verdicts on: helpful, polite"),
        ([row(score=3)], "'support' wants verdicts on: helpful, polite"),
        ([row(verdicts={**BOTH, "helpful": 1})], "line 1: verdicts.helpful: "),
        ([row(verdicts=BOTH, label="x")], "unknown key 'label'; valid here: prompt"),
        ([row(other="no", better="b")], "line 1: better: Input should be 'answer', 'other' or"),
    ],
)
def test_a_mistake_is_told(rows: list[Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        labels(tmp_path, *rows)
    assert str(error.value).startswith(f"{tmp_path / 'labels.jsonl'}, line ")
    assert told in str(error.value)


def test_a_score_off_the_scale(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the rubric 'warmth' wants a score, 1 to 5"):
        labels(tmp_path, row(score=6), rubric=SCALE)


def test_a_value_that_may_be_personal_is_not_printed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        labels(tmp_path, {"prompt": ["ana@example.com"], "answer": "x", "score": 1})
    assert "ana@" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the human labels .* cannot be read"):
        load_human_labels(tmp_path / "nowhere.jsonl", YES_NO)
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9")
    with pytest.raises(ConfigError, match="are not UTF-8"):
        load_human_labels(tmp_path / "latin.jsonl", YES_NO)
