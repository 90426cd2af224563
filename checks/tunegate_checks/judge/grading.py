"""Grading: every reply is judged by the rubric; the share that passes, or the mean mark."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tunegate.models.judge_panel import JudgePanel
from tunegate.results.finding import Finding, Findings
from tunegate.results.prediction import Prediction, Predictions
from tunegate.results.score import Score, format_value, proportion
from tunegate.utils.text import one_line

from ..stats.kappa import kappa
from . import ballots, parse, prompt
from . import calibration as standings
from . import rubric as rubrics
from .ballots import collect_votes
from .calibration import Calibration, JudgedScore
from .prompt import Item
from .rubric import Marks, Rubric


@dataclass(frozen=True, slots=True)
class Grade:
    """What the judges made of one reply; `error` says why nothing, `voted` are the ballots."""

    marks: Marks | None
    reason: str = ""
    error: str = ""
    passed_votes: tuple[bool, ...] = ()


def score(predictions: Predictions, judge: JudgePanel, rubric: Rubric | None = None) -> JudgedScore:
    """Return the share of replies that pass by the rubric, with Wilson's 95 % interval.

    `rubric` is that of the configuration unless another is given. A reply without a verdict (no
    answer, or an unparseable judge) is an error: wrong in the value, right in `if_right`. Raises
    ConfigError for a rubric or labels that cannot be read.
    """
    __tracebackhide__ = True
    used_rubric = rubric or rubrics.load_rubric(judge.rubric)
    calibration = calibrate_grading(used_rubric, judge)
    grades = _grades_by_row(predictions, used_rubric, judge)
    hits = sum(g.marks is not None and used_rubric.passes(g.marks) for g in grades.values())
    base_score = proportion(
        f"judge ({used_rubric.name})", hits, len(predictions),
        misses=_not_passed(predictions, grades, used_rubric),
        errors=sum(g.marks is None for g in grades.values()),
        signature=judge_signature(used_rubric, judge, [g.passed_votes for g in grades.values()]),
        detail=_detail_text(list(grades.values()), used_rubric),
    )  # fmt: skip
    return JudgedScore.of(base_score, calibration)


def mean(predictions: Predictions, judge: JudgePanel, rubric: Rubric | None = None) -> JudgedScore:
    """Return the mean mark: of a scale the score, of criteria the share of weight that is met.

    An error counts as the worst mark in the value, as the best in `if_right`. Interval: see
    `votes.mean_bounds`.
    """
    __tracebackhide__ = True
    used_rubric = rubric or rubrics.load_rubric(judge.rubric)
    calibration = calibrate_grading(used_rubric, judge)
    grades = list(_grades_by_row(predictions, used_rubric, judge).values())
    scale_min, scale_max = used_rubric.scale or (0, 1)
    marks_values = [used_rubric.mark(g.marks) for g in grades if g.marks is not None]
    n, errors = len(grades), sum(g.marks is None for g in grades)
    worst, best = (
        sum(marks_values) + errors * end - n * scale_min for end in (scale_min, scale_max)
    )

    def bounds_of(total: float) -> list[float]:
        on_unit = ballots.mean_bounds(total / (scale_max - scale_min), n)
        return [scale_min + bound * (scale_max - scale_min) for bound in on_unit]

    low, high, lower = bounds_of(worst)
    base_score = Score(
        scale_min + worst / n if n else math.nan, name=f"judge mean ({used_rubric.name})", n=n, low=low,
        high=high, errors=errors, best_case=scale_min + best / n if n else math.nan,
        lower=lower, best_case_lower=bounds_of(best)[2], detail=_detail_text(grades, used_rubric),
        signature=judge_signature(used_rubric, judge, [g.passed_votes for g in grades]),
    )  # fmt: skip
    return JudgedScore.of(base_score, calibration)


def grade(items: Sequence[Item], rubric: Rubric, judge: JudgePanel) -> list[Grade]:
    """Put every item to the judges and return what the majority makes of it."""
    questions = [prompt.grading_prompt(item, rubric) for item in items]
    votes_by_item = collect_votes(questions, lambda text: parse.parse_marks(text, rubric), judge)
    graded = []
    for item_votes in votes_by_item:
        marks, valid_votes = (
            ballots.majority_marks(item_votes, rubric),
            [b for b in item_votes if b.value is not None],
        )
        error = "" if marks is not None else next((b.error for b in item_votes if b.error), "")
        reason = next(
            (b.reason for b in valid_votes if b.value == marks),
            valid_votes[0].reason if valid_votes else "",
        )
        passed_votes = tuple(rubric.passes(b.value) for b in valid_votes if b.value is not None)
        graded.append(Grade(marks, reason, error, passed_votes))
    return graded


def calibrate_grading(rubric: Rubric, judge: JudgePanel) -> Calibration:
    """Return whether these judges agree with people by this rubric well enough to gate."""
    __tracebackhide__ = True
    human_labels = standings.read_human_labels(judge, rubric)
    if human_labels is None:
        return Calibration(standings.NO_LABELS)
    grades = grade([label.item for label in human_labels.graded], rubric, judge)
    people = [label.marks for label in human_labels.graded]
    judge_marks = [
        g.marks or _opposite_marks(marks, rubric) for g, marks in zip(grades, people, strict=True)
    ]
    agreement = _agreement(people, judge_marks, rubric)
    errors = [g.error for g in grades if g.marks is None]
    return standings.calibrate("grading", agreement, errors, human_labels, rubric, judge)


def _opposite_marks(marks: Marks, rubric: Rubric) -> Marks:
    """Return the marks that disagree most with these: what an unjudged label counts as."""

    def disagreement(end: Marks) -> tuple[bool, float]:
        distance = abs(rubric.mark(end) - rubric.mark(marks))
        return not rubric.scale and rubric.passes(end) != rubric.passes(marks), distance

    return max(rubric.extremes(), key=disagreement)


def _agreement(people: Sequence[Marks], judges: Sequence[Marks], rubric: Rubric) -> Score:
    if rubric.scale:
        low, high = rubric.scale
        scores, judge_scores = ([marks["score"] for marks in side] for side in (people, judges))
        return kappa(scores, judge_scores, range(low, high + 1), quadratic=True)
    people_passed, judges_passed = (
        [rubric.passes(marks) for marks in side] for side in (people, judges)
    )
    return kappa(people_passed, judges_passed, (False, True))


def judge_signature(
    rubric: Rubric, judge: JudgePanel, votes_by_item: Sequence[Sequence[object]]
) -> str:
    """Return what the score means: judges with digests, rubric, prompt, ballots and agreement."""
    names = ", ".join(f"{one.name} {one.digest[:8]}" for one in judge.judges)
    votes_asked, vote_agreement = (
        len(judge.judges) * judge.repetitions,
        ballots.agreement(votes_by_item),
    )
    votes_text = "1 ballot" if votes_asked == 1 else f"{votes_asked} ballots"
    if not math.isnan(vote_agreement):
        votes_text += f", {format_value(vote_agreement, True)} alike"
    return f"{names}|rubric {rubric.digest[:8]}|prompt {prompt.prompt_version()[:8]}|{votes_text}"


def _grades_by_row(predictions: Predictions, rubric: Rubric, judge: JudgePanel) -> dict[int, Grade]:
    items = prompt.judged_items(predictions)
    grades = dict(zip((i.row for i in items), grade(items, rubric, judge), strict=True))
    return {p.row: grades.get(p.row, Grade(None, error=p.error)) for p in predictions}


def _not_passed(predictions: Predictions, grades: dict[int, Grade], rubric: Rubric) -> Findings:
    findings = (_not_passed_finding(p, grades[p.row], rubric) for p in predictions)
    present = (finding for finding in findings if finding)
    return Findings("misses", present, split="test", n=len(predictions))


def _not_passed_finding(p: Prediction, grade: Grade, rubric: Rubric) -> Finding | None:
    if grade.marks is None:
        return Finding(
            p.row, p.line, "no answer" if p.error else "no verdict", one_line(grade.error)
        )
    if rubric.passes(grade.marks):
        return None
    kind = f"score {grade.marks['score']}" if rubric.scale else _unmet_criteria(grade.marks)
    return Finding(p.row, p.line, kind, one_line(grade.reason))


def _unmet_criteria(marks: Marks) -> str:
    return ", ".join(f"not {criterion}" for criterion, met in marks.items() if not met)


def _detail_text(grades: Sequence[Grade], rubric: Rubric) -> str:
    marks_list = [g.marks for g in grades if g.marks is not None]
    if rubric.scale:
        counts = Counter(marks["score"] for marks in marks_list)
        low, high = rubric.scale
        return "\n".join(f"score {s}: {counts[s]:,}" for s in range(low, high + 1))
    met = {c.id: sum(marks[c.id] for marks in marks_list) for c in rubric.criteria}
    return "\n".join(f"{criterion}: {n:,} of {len(marks_list):,}" for criterion, n in met.items())
