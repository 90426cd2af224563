"""Pairwise: is the candidate's reply better than another model's? Asked in both orders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tunegate.findings import Finding, Findings
from tunegate.judge_panel import JudgePanel
from tunegate.predictions import Prediction, Predictions
from tunegate.score import Score, proportion, shown

from . import prompt, verdicts, votes
from . import rubric as rubrics
from . import standing as standings
from .ask import Ballot, ballots
from .grading import printable, signature
from .judged import Judged, Standing
from .kappa import kappa
from .prompt import Item
from .rubric import Rubric

_SWAPPED = {"a": "b", "b": "a", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which of two answers is better: "a", "b", "tie", or None with the reason in `error`.

    `kept` and `asked` count the ballots heard in both orders, and those whose verdict did not turn
    with the order.
    """

    better: str | None
    reason: str = ""
    error: str = ""
    kept: int = 0
    asked: int = 0
    voted: tuple[str, ...] = ()


def win_rate(
    predictions: Predictions, other: Predictions, judge: JudgePanel, rubric: Rubric | None = None
) -> Judged:
    """Return the candidate's wins and half its ties, as a share of the rows both were asked.

    A win counts only where the same answer wins in both orders, else it is a tie; answers that are
    alike are a tie, and not asked about. An error is a loss in the value, a win in `if_right`.
    Interval: see `votes.mean_bounds`. Source of the two orders: Zheng et al. (2023), Judging
    LLM-as-a-Judge, section 3.4.
    """
    __tracebackhide__ = True
    by = rubric or rubrics.load(judge.rubric)
    standing = measure(by, judge)
    theirs = {p.row: p for p in other}
    pairs = [(p, theirs[p.row]) for p in predictions if p.row in theirs]
    found = _compared(pairs, by, judge)
    n, won = len(pairs), {side: [c.better for c in found].count(side) for side in _SWAPPED}
    errors = sum(c.better is None for c in found)
    total = won["a"] + won["tie"] / 2
    low, high, lower = votes.mean_bounds(total, n)
    stayed = consistency(found)
    told = f"{won['a']} won, {won['tie']} tied, {won['b']} lost; {_told(stayed)}"
    judged = Score(
        total / n if n else math.nan, name=f"win rate ({by.name})", n=n, low=low, high=high,
        errors=errors, if_right=(total + errors) / n if n else math.nan,
        lower=lower, lower_if_right=votes.mean_bounds(total + errors, n)[2],
        misses=_losses(pairs, found), detail=told,
        signature=f"{signature(by, judge, [c.voted for c in found])}|{told}",
    )  # fmt: skip
    return Judged.of(judged, standings.unswayed(standing, stayed, judge))


def consistency(found: Sequence[Comparison]) -> Score:
    """Return the share of ballots whose verdict stayed when the answers were swapped."""
    kept, asked = sum(c.kept for c in found), sum(c.asked for c in found)
    return proportion("swap consistency", kept, asked)


def _told(stayed: Score) -> str:
    return f"swap consistency {shown(stayed, True)} of {stayed.n:,}" if stayed.n else "none asked"


def compare(
    pairs: Sequence[tuple[Item, str]], rubric: Rubric, judge: JudgePanel
) -> list[Comparison]:
    """Ask about each pair in both orders; alike answers are a tie at once."""
    differ = [i for i, (item, other) in enumerate(pairs) if item.answer != other]
    questions = [
        prompt.pair(*pairs[i], rubric, swapped=swapped) for swapped in (False, True) for i in differ
    ]
    heard = ballots(questions, verdicts.better, judge)
    found = [Comparison("tie", "the answers are alike")] * len(pairs)
    for i, one, two in zip(differ, heard[: len(differ)], heard[len(differ) :], strict=True):
        found[i] = _verdict(one, two)
    return found


def _verdict(one: Sequence[Ballot[str]], two: Sequence[Ballot[str]]) -> Comparison:
    """Return what ballots in one order and in the other make together."""
    orders = [(f.vote, s.vote and _SWAPPED[s.vote]) for f, s in zip(one, two, strict=True)]
    cast = [None if None in pair else pair[0] if pair[0] == pair[1] else "tie" for pair in orders]
    both = [pair for pair in orders if None not in pair]
    better = votes.plurality(cast)
    error = "" if better else next((b.error for b in (*one, *two) if b.error), "")
    reason = next((b.reason for b in one if b.vote == better), one[0].reason)
    voted = tuple(vote for vote in cast if vote is not None)
    return Comparison(better, reason, error, sum(a == b for a, b in both), len(both), voted)


def measure(rubric: Rubric, judge: JudgePanel) -> Standing:
    """Return whether these judges prefer what people prefer, by the labels with `better`."""
    __tracebackhide__ = True
    read = standings.read(judge, rubric)
    if read is None:
        return Standing(standings.NO_LABELS)
    found = compare([(label.item, label.other) for label in read.compared], rubric, judge)
    people = [label.better for label in read.compared]
    said = [c.better or _against(human) for c, human in zip(found, people, strict=True)]
    agreed = kappa(people, said, verdicts.BETTER)
    errors = [c.error for c in found if c.better is None]
    return standings.of("pairwise", agreed, errors, read, rubric, judge)


def _against(human: str) -> str:
    return "b" if human == "a" else "a"


def _compared(
    pairs: Sequence[tuple[Prediction, Prediction]], rubric: Rubric, judge: JudgePanel
) -> list[Comparison]:
    """Compare what both answered; where one did not, that is the error."""
    asked = [i for i, (ours, theirs) in enumerate(pairs) if not (ours.error or theirs.error)]
    items = [
        (Item(p.row, p.prompt, p.got, p.expected), theirs.got)
        for p, theirs in (pairs[i] for i in asked)
    ]
    found = [Comparison(None, error=ours.error or theirs.error) for ours, theirs in pairs]
    for i, comparison in zip(asked, compare(items, rubric, judge), strict=True):
        found[i] = comparison
    return found


def _losses(
    pairs: Sequence[tuple[Prediction, Prediction]], found: Sequence[Comparison]
) -> Findings:
    lost = (
        Finding(p.row, p.line, "no verdict" if c.error else "lost", printable(c.error or c.reason))
        for (p, _), c in zip(pairs, found, strict=True)
        if c.better in (None, "b")
    )
    return Findings("losses", lost, split="test", n=len(pairs))
