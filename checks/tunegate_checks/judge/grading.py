"""Grading: every reply is judged by the rubric; the share that passes, or the mean mark."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tunegate.findings import Finding, Findings
from tunegate.judge_panel import JudgePanel
from tunegate.predictions import Prediction, Predictions
from tunegate.score import Score, proportion, shown

from . import prompt, verdicts, votes
from . import rubric as rubrics
from . import standing as standings
from .ask import ballots
from .judged import Judged, Standing
from .kappa import kappa
from .prompt import Item
from .rubric import Marks, Rubric


@dataclass(frozen=True, slots=True)
class Grade:
    """What the judges made of one reply; `error` says why nothing, `voted` are the ballots."""

    marks: Marks | None
    reason: str = ""
    error: str = ""
    voted: tuple[bool, ...] = ()


def score(predictions: Predictions, judge: JudgePanel, rubric: Rubric | None = None) -> Judged:
    """Return the share of replies that pass by the rubric, with Wilson's 95 % interval.

    `rubric` is that of the configuration unless another is given. A reply without a verdict (no
    answer, or an unparseable judge) is an error: wrong in the value, right in `if_right`. Raises
    ConfigError for a rubric or labels that cannot be read.
    """
    __tracebackhide__ = True
    by = rubric or rubrics.load(judge.rubric)
    standing = measure(by, judge)
    grades = _by_row(predictions, by, judge)
    hits = sum(g.marks is not None and by.passes(g.marks) for g in grades.values())
    judged = proportion(
        f"judge ({by.name})", hits, len(predictions),
        misses=_misses(predictions, grades, by),
        errors=sum(g.marks is None for g in grades.values()),
        signature=signature(by, judge, [g.voted for g in grades.values()]),
        detail=_detail(list(grades.values()), by),
    )  # fmt: skip
    return Judged.of(judged, standing)


def mean(predictions: Predictions, judge: JudgePanel, rubric: Rubric | None = None) -> Judged:
    """Return the mean mark: of a scale the score, of criteria the share of weight that is met.

    An error counts as the worst mark in the value, as the best in `if_right`. Interval: see
    `votes.mean_bounds`.
    """
    __tracebackhide__ = True
    by = rubric or rubrics.load(judge.rubric)
    standing = measure(by, judge)
    grades = list(_by_row(predictions, by, judge).values())
    least, most = by.scale or (0, 1)
    known = [by.mark(g.marks) for g in grades if g.marks is not None]
    n, errors = len(grades), sum(g.marks is None for g in grades)
    worst, best = (sum(known) + errors * end - n * least for end in (least, most))

    def bounds(total: float) -> list[float]:
        on_unit = votes.mean_bounds(total / (most - least), n)
        return [least + bound * (most - least) for bound in on_unit]

    low, high, lower = bounds(worst)
    judged = Score(
        least + worst / n if n else math.nan, name=f"judge mean ({by.name})", n=n, low=low,
        high=high, errors=errors, if_right=least + best / n if n else math.nan,
        lower=lower, lower_if_right=bounds(best)[2], detail=_detail(grades, by),
        signature=signature(by, judge, [g.voted for g in grades]),
    )  # fmt: skip
    return Judged.of(judged, standing)


def grade(items: Sequence[Item], rubric: Rubric, judge: JudgePanel) -> list[Grade]:
    """Put every item to the judges and return what the majority makes of it."""
    questions = [prompt.single(item, rubric) for item in items]
    heard = ballots(questions, lambda text: verdicts.marks(text, rubric), judge)
    found = []
    for on_one in heard:
        marks, given = votes.majority(on_one, rubric), [b for b in on_one if b.vote is not None]
        error = "" if marks is not None else next((b.error for b in on_one if b.error), "")
        reason = next(
            (b.reason for b in given if b.vote == marks), given[0].reason if given else ""
        )
        voted = tuple(rubric.passes(b.vote) for b in given if b.vote is not None)
        found.append(Grade(marks, reason, error, voted))
    return found


def measure(rubric: Rubric, judge: JudgePanel) -> Standing:
    """Return whether these judges agree with people by this rubric well enough to gate."""
    __tracebackhide__ = True
    read = standings.read(judge, rubric)
    if read is None:
        return Standing(standings.NO_LABELS)
    grades = grade([label.item for label in read.graded], rubric, judge)
    people = [label.marks for label in read.graded]
    said = [g.marks or _against(marks, rubric) for g, marks in zip(grades, people, strict=True)]
    agreed = _kappa(people, said, rubric)
    errors = [g.error for g in grades if g.marks is None]
    return standings.of("grading", agreed, errors, read, rubric, judge)


def _against(marks: Marks, rubric: Rubric) -> Marks:
    """Return the marks that disagree most with these: what an unjudged label counts as."""

    def disagrees(end: Marks) -> tuple[bool, float]:
        apart = abs(rubric.mark(end) - rubric.mark(marks))
        return not rubric.scale and rubric.passes(end) != rubric.passes(marks), apart

    return max(rubric.extremes(), key=disagrees)


def _kappa(people: Sequence[Marks], judges: Sequence[Marks], rubric: Rubric) -> Score:
    if rubric.scale:
        low, high = rubric.scale
        scores, said = ([marks["score"] for marks in side] for side in (people, judges))
        return kappa(scores, said, range(low, high + 1), quadratic=True)
    passed, good = ([rubric.passes(marks) for marks in side] for side in (people, judges))
    return kappa(passed, good, (False, True))


def signature(rubric: Rubric, judge: JudgePanel, voted: Sequence[Sequence[object]]) -> str:
    """Return what the score means: judges with digests, rubric, prompt, ballots and agreement."""
    names = ", ".join(f"{one.name} {one.digest[:8]}" for one in judge.judges)
    asked, alike = len(judge.judges) * judge.repetitions, votes.agreement(voted)
    said = "1 ballot" if asked == 1 else f"{asked} ballots"
    if not math.isnan(alike):
        said += f", {shown(alike, True)} alike"
    return f"{names}|rubric {rubric.digest[:8]}|prompt {prompt.version()[:8]}|{said}"


def _by_row(predictions: Predictions, rubric: Rubric, judge: JudgePanel) -> dict[int, Grade]:
    items = prompt.items(predictions)
    grades = dict(zip((i.row for i in items), grade(items, rubric, judge), strict=True))
    return {p.row: grades.get(p.row, Grade(None, error=p.error)) for p in predictions}


def _misses(predictions: Predictions, grades: dict[int, Grade], rubric: Rubric) -> Findings:
    found = (_miss(p, grades[p.row], rubric) for p in predictions)
    kept = (finding for finding in found if finding)
    return Findings("misses", kept, split="test", n=len(predictions))


def _miss(p: Prediction, grade: Grade, rubric: Rubric) -> Finding | None:
    if grade.marks is None:
        return Finding(
            p.row, p.line, "no answer" if p.error else "no verdict", printable(grade.error)
        )
    if rubric.passes(grade.marks):
        return None
    kind = f"score {grade.marks['score']}" if rubric.scale else _unmet(grade.marks)
    return Finding(p.row, p.line, kind, printable(grade.reason))


def _unmet(marks: Marks) -> str:
    return ", ".join(f"not {criterion}" for criterion, met in marks.items() if not met)


def printable(text: str) -> str:
    """Return a judge's words as one line that a terminal cannot be moved by."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _detail(grades: Sequence[Grade], rubric: Rubric) -> str:
    known = [g.marks for g in grades if g.marks is not None]
    if rubric.scale:
        counts = Counter(marks["score"] for marks in known)
        low, high = rubric.scale
        return "\n".join(f"score {s}: {counts[s]:,}" for s in range(low, high + 1))
    met = {c.id: sum(marks[c.id] for marks in known) for c in rubric.criteria}
    return "\n".join(f"{criterion}: {n:,} of {len(known):,}" for criterion, n in met.items())
