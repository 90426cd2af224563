"""Grade every reply by a rubric: the share of replies that pass, or the mean mark."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tunegate import Finding, Findings, JudgePanel, Predictions
from tunegate.results.score import Score, format_value
from tunegate.utils.text import one_line

from ..stats import kappa, share
from .ballots import agreement, collect_votes, majority_marks, parse_marks
from .calibration import Calibration, HumanLabels, JudgedScore, calibrate
from .prompt import Item, grading_prompt, item_of, prompt_version
from .rubric import Marks, Rubric, load_rubric


@dataclass(frozen=True, slots=True)
class Grade:
    """The marks of a reply by majority, or the `error`, and whether each valid vote passes it."""

    marks: Marks | None
    reason: str = ""
    error: str = ""
    passed_votes: tuple[bool, ...] = ()


def score(predictions: Predictions, judge: JudgePanel, rubric: Rubric | None = None) -> JudgedScore:
    """Return the share of replies that pass by the rubric, with Wilson's 95 % interval.

    `rubric` is that of the configuration unless another is given. A reply without a verdict (no
    answer, or an unparseable judge) is an error: wrong in the value, right in `best_case`; a judge
    without any verdict gives no score. Raises ConfigError for an unreadable rubric or labels.
    """
    __tracebackhide__ = True
    rubric = rubric or load_rubric(judge.rubric)
    calibration = calibrate_grading(rubric, judge)
    graded = iter(grade([item_of(p) for p in predictions if not p.error], rubric, judge))
    grades = [Grade(None, error=p.error) if p.error else next(graded) for p in predictions]
    base_score = share(
        f"judge ({rubric.name})", [g.marks is not None and rubric.passes(g.marks) for g in grades],
        predictions, missing=[g.marks is None for g in grades],
        misses=_not_passed(predictions, grades, rubric), detail=_detail_text(grades, rubric),
        signature=judge_signature(rubric, judge, [g.passed_votes for g in grades]),
    )  # fmt: skip
    return JudgedScore.of(base_score, calibration, [g.error for g in grades])


def grade(items: Sequence[Item], rubric: Rubric, judge: JudgePanel) -> list[Grade]:
    """Put every item to the judges and return the grades by majority."""
    questions = [grading_prompt(item, rubric) for item in items]
    grades: list[Grade] = []
    for votes in collect_votes(questions, lambda text: parse_marks(text, rubric), judge):
        marks = majority_marks(votes, rubric)
        valid = [(vote.value, vote.reason) for vote in votes if vote.value is not None]
        # Where no vote is as the majority, the first vote's.
        reason = next((r for _, r in sorted(valid, key=lambda v: v[0] != marks)), "")
        error = next((vote.error for vote in votes if vote.error and marks is None), "")
        passed_votes = tuple(rubric.passes(value) for value, _ in valid)
        grades.append(Grade(marks, reason, error, passed_votes))
    return grades


def calibrate_grading(rubric: Rubric, judge: JudgePanel) -> Calibration:
    """Return whether these judges agree with people by this rubric well enough to gate."""
    __tracebackhide__ = True

    def measure(human_labels: HumanLabels) -> tuple[Score, list[str]]:
        grades = grade([label.item for label in human_labels.graded], rubric, judge)
        people = [label.marks for label in human_labels.graded]
        both = zip(grades, people, strict=True)
        judges = [g.marks or _opposite_marks(marks, rubric) for g, marks in both]
        errors = [g.error for g in grades if g.marks is None]
        if rubric.scale:
            low, high = rubric.scale
            scores, judge_scores = ([marks["score"] for marks in side] for side in (people, judges))
            return kappa(scores, judge_scores, range(low, high + 1), quadratic=True), errors
        passed, judge_passed = ([rubric.passes(m) for m in side] for side in (people, judges))
        return kappa(passed, judge_passed, (False, True)), errors

    return calibrate(rubric, judge, measure)


def _opposite_marks(marks: Marks, rubric: Rubric) -> Marks:
    """Return the marks that disagree most with these, which an unjudged label counts as."""
    worst, best = rubric.extremes()
    if rubric.scale:
        return max(worst, best, key=lambda end: abs(end["score"] - marks["score"]))
    return worst if rubric.passes(marks) else best


def judge_signature(rubric: Rubric, judge: JudgePanel, votes: Sequence[Sequence[object]]) -> str:
    """Return a score's signature: judges with digests, rubric, prompt, votes and agreement."""
    names = ", ".join(f"{member.name} {member.digest[:8]}" for member in judge.judges)
    ballots, alike = len(judge.judges) * judge.repetitions, agreement(votes)
    votes_text = "1 ballot" if ballots == 1 else f"{ballots} ballots"
    if not math.isnan(alike):
        votes_text += f", {format_value(alike, True)} alike"
    return f"{names}|rubric {rubric.digest[:8]}|prompt {prompt_version()[:8]}|{votes_text}"


def _not_passed(predictions: Predictions, grades: Sequence[Grade], rubric: Rubric) -> Findings:
    """Return a finding for every reply that does not pass or has no grade."""
    findings: list[Finding] = []
    for p, grade in zip(predictions, grades, strict=True):
        if grade.marks is None:
            kind, text = "no answer" if p.error else "no verdict", grade.error
        elif rubric.passes(grade.marks):
            continue
        elif rubric.scale:
            kind, text = f"score {grade.marks['score']}", grade.reason
        else:
            unmet = [f"not {criterion}" for criterion, met in grade.marks.items() if not met]
            kind, text = ", ".join(unmet), grade.reason
        findings.append(p.finding(kind, one_line(text)))
    return Findings("misses", findings, split="test", n=len(predictions))


def _detail_text(grades: Sequence[Grade], rubric: Rubric) -> str:
    marks_list = [g.marks for g in grades if g.marks is not None]
    if rubric.scale:
        counts = Counter(marks["score"] for marks in marks_list)
        low, high = rubric.scale
        return "\n".join(f"score {s}: {counts[s]:,}" for s in range(low, high + 1))
    met = {c.id: sum(marks[c.id] for marks in marks_list) for c in rubric.criteria}
    return "\n".join(f"{criterion}: {n:,} of {len(marks_list):,}" for criterion, n in met.items())
