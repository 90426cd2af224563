"""Calibration: earned by agreement with people, and never assumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from judges import SCALE, YES_NO, by_rule, first, judge_panel, longer, warmth

from tunegate.models.predict import JudgePanel
from tunegate_checks.judge import grading, pairwise
from tunegate_checks.judge.calibration import Calibration
from tunegate_checks.judge.rubric import Rubric


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def people(path: Path, n: int = 40, wrong: int = 0) -> Path:
    """Write the verdicts of people who go by the rule, but for the first few replies."""
    rows = []
    for i in range(n):
        answer = f"{'please ' if i % 2 else 'now '}come in, number {i}"
        polite = ("please" in answer) != (i < wrong)
        rows.append(
            {"prompt": f"q{i}", "answer": answer, "verdicts": {"polite": polite, "helpful": True}}
        )
    return write(path, rows)


def calibrated(judge: JudgePanel, rubric: Rubric = YES_NO) -> Calibration:
    return grading.calibrate_grading(rubric, judge)


def test_without_labels() -> None:
    assert (
        calibrated(judge_panel(by_rule)).reason
        == "no human labels; name a file of them: [judge] labels"
    )


def test_earned(tmp_path: Path) -> None:
    found = calibrated(judge_panel(by_rule, labels=people(tmp_path / "l.jsonl", wrong=4)))
    assert not found.reason
    assert found.measured == "kappa 0.80 (0.61 to 0.99) with 40 human labels"


def test_too_far_from_people(tmp_path: Path) -> None:
    file = people(tmp_path / "l.jsonl", wrong=12)
    found = calibrated(judge_panel(by_rule, labels=file))
    assert found.reason.startswith("kappa 0.40 (")
    assert found.reason.endswith("with 40 human labels, 0.6 is needed")
    assert not calibrated(judge_panel(by_rule, labels=file, kappa=0.4)).reason


def test_too_few(tmp_path: Path) -> None:
    file = people(tmp_path / "l.jsonl", n=29)
    assert (
        calibrated(judge_panel(by_rule, labels=file)).reason
        == "29 human labels for it, 30 are needed"
    )
    assert not calibrated(judge_panel(by_rule, labels=file, fewest_labels=29)).reason


def test_all_alike(tmp_path: Path) -> None:
    verdicts = {"polite": True, "helpful": True}
    rows = [
        {"prompt": "", "answer": f"please come in {i}", "verdicts": verdicts} for i in range(40)
    ]
    found = calibrated(judge_panel(by_rule, labels=write(tmp_path / "l.jsonl", rows)))
    assert found.reason == "the 40 human labels are all alike: they cannot show agreement"


def test_a_label_that_is_not_judged_is_a_disagreement(tmp_path: Path) -> None:
    def breaks(data: dict[str, str]) -> Any:
        return "garbage" if data["question"] in ("q0", "q1") else by_rule(data)

    found = calibrated(judge_panel(breaks, labels=people(tmp_path / "l.jsonl")))
    assert found.measured == "kappa 0.90 (0.76 to 1.00) with 40 human labels, 2 of them unjudged"


def test_a_judge_that_is_down_is_not_said_to_disagree(tmp_path: Path) -> None:
    def down(_: dict[str, str]) -> Any:
        raise OSError("timeout")

    found = calibrated(judge_panel(down, labels=people(tmp_path / "l.jsonl")))
    assert found.reason == "none of 40 human labels could be judged: judge: timeout"


def test_the_first_error_is_told_where_errors_cost_the_calibrated(tmp_path: Path) -> None:
    def breaks(data: dict[str, str]) -> Any:
        return "garbage" if data["question"] < "q2" else by_rule(data)

    found = calibrated(judge_panel(breaks, labels=people(tmp_path / "l.jsonl")))
    assert "12 of them unjudged, 0.6 is needed; the first such: judge: unparseable" in found.reason


def test_a_scale_weighs_how_far_apart(tmp_path: Path) -> None:
    rows = [{"prompt": "", "answer": "♥" * (i % 5) + str(i), "score": i % 5 + 1} for i in range(40)]
    near = [{**row, "score": min(row["score"] + 1, 5)} for row in rows]
    exact, close = (
        calibrated(judge_panel(warmth, labels=write(tmp_path / f"{i}.jsonl", r)), SCALE)
        for i, r in enumerate((rows, near))
    )
    assert exact.measured.startswith("kappa 1.00")
    assert not close.reason  # one step off is not far; unweighted, kappa would be 0.0


def test_comparisons_have_labels_of_their_own(tmp_path: Path) -> None:
    sides = [("long answer", "x", "answer"), ("y", "longer", "other"), ("one", "two", "tie")]
    rows = [
        {"prompt": f"q{i}", "answer": a, "other": b, "better": better}
        for i in range(10)
        for a, b, better in sides
    ]
    file = write(tmp_path / "l.jsonl", rows)
    assert not pairwise.calibrate_pairwise(YES_NO, judge_panel(longer, labels=file)).reason
    assert pairwise.calibrate_pairwise(YES_NO, judge_panel(first, labels=file)).reason.startswith(
        "kappa 0.00 ("
    )
    assert (
        calibrated(judge_panel(by_rule, labels=file)).reason
        == "0 human labels for it, 30 are needed"
    )
