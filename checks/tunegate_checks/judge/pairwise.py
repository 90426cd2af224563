"""Pairwise: is the candidate's reply better than another model's? Asked in both orders."""

from __future__ import annotations

import math
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
from .ballots import Vote, collect_votes
from .calibration import Calibration, JudgedScore
from .grading import judge_signature
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
    consistent: int = 0
    compared: int = 0
    valid_votes: tuple[str, ...] = ()


def win_rate(
    predictions: Predictions, other: Predictions, judge: JudgePanel, rubric: Rubric | None = None
) -> JudgedScore:
    """Return the candidate's wins and half its ties, as a share of the rows both were asked.

    A win counts only where the same answer wins in both orders, else it is a tie; answers that are
    alike are a tie, and not asked about. An error is a loss in the value, a win in `if_right`.
    Interval: see `votes.mean_bounds`. Source of the two orders: Zheng et al. (2023), Judging
    LLM-as-a-Judge, section 3.4.
    """
    __tracebackhide__ = True
    used_rubric = rubric or rubrics.load_rubric(judge.rubric)
    calibration = calibrate_pairwise(used_rubric, judge)
    other_by_row = {p.row: p for p in other}
    pairs = [(p, other_by_row[p.row]) for p in predictions if p.row in other_by_row]
    comparisons = _compare_predictions(pairs, used_rubric, judge)
    n, counts = len(pairs), {side: [c.better for c in comparisons].count(side) for side in _SWAPPED}
    errors = sum(c.better is None for c in comparisons)
    total = counts["a"] + counts["tie"] / 2
    low, high, lower = ballots.mean_bounds(total, n)
    swap_consistency = swap_consistency_score(comparisons)
    wins_text = f"{counts['a']} won, {counts['tie']} tied, {counts['b']} lost; {_consistency_text(swap_consistency)}"
    base_score = Score(
        total / n if n else math.nan, name=f"win rate ({used_rubric.name})", n=n, low=low, high=high,
        errors=errors, best_case=(total + errors) / n if n else math.nan,
        lower=lower, best_case_lower=ballots.mean_bounds(total + errors, n)[2],
        misses=_lost_findings(pairs, comparisons), detail=wins_text,
        signature=f"{judge_signature(used_rubric, judge, [c.valid_votes for c in comparisons])}|{wins_text}",
    )  # fmt: skip
    return JudgedScore.of(
        base_score, standings.with_swap_consistency(calibration, swap_consistency, judge)
    )


def swap_consistency_score(comparisons: Sequence[Comparison]) -> Score:
    """Return the share of ballots whose verdict stayed when the answers were swapped."""
    consistent, compared = (
        sum(c.consistent for c in comparisons),
        sum(c.compared for c in comparisons),
    )
    return proportion("swap consistency", consistent, compared)


def _consistency_text(swap_consistency: Score) -> str:
    return (
        f"swap consistency {format_value(swap_consistency, True)} of {swap_consistency.n:,}"
        if swap_consistency.n
        else "none asked"
    )


def compare(
    pairs: Sequence[tuple[Item, str]], rubric: Rubric, judge: JudgePanel
) -> list[Comparison]:
    """Ask about each pair in both orders; alike answers are a tie at once."""
    different = [i for i, (item, other) in enumerate(pairs) if item.answer != other]
    questions = [
        prompt.comparison_prompt(*pairs[i], rubric, swapped=swapped)
        for swapped in (False, True)
        for i in different
    ]
    votes_by_question = collect_votes(questions, parse.parse_better, judge)
    comparisons = [Comparison("tie", "the answers are alike")] * len(pairs)
    for i, first_order, second_order in zip(
        different,
        votes_by_question[: len(different)],
        votes_by_question[len(different) :],
        strict=True,
    ):
        comparisons[i] = _combine_orders(first_order, second_order)
    return comparisons


def _combine_orders(
    first_order: Sequence[Vote[str]], second_order: Sequence[Vote[str]]
) -> Comparison:
    """Return what ballots in one order and in the other make together."""
    orders = [
        (f.value, s.value and _SWAPPED[s.value])
        for f, s in zip(first_order, second_order, strict=True)
    ]
    verdicts_cast = [
        None if None in pair else pair[0] if pair[0] == pair[1] else "tie" for pair in orders
    ]
    complete = [pair for pair in orders if None not in pair]
    better = ballots.plurality_side(verdicts_cast)
    error = "" if better else next((b.error for b in (*first_order, *second_order) if b.error), "")
    reason = next((b.reason for b in first_order if b.value == better), first_order[0].reason)
    valid_votes = tuple(vote for vote in verdicts_cast if vote is not None)
    return Comparison(
        better, reason, error, sum(a == b for a, b in complete), len(complete), valid_votes
    )


def calibrate_pairwise(rubric: Rubric, judge: JudgePanel) -> Calibration:
    """Return whether these judges prefer what people prefer, by the labels with `better`."""
    __tracebackhide__ = True
    human_labels = standings.read_human_labels(judge, rubric)
    if human_labels is None:
        return Calibration(standings.NO_LABELS)
    comparisons = compare(
        [(label.item, label.other) for label in human_labels.compared], rubric, judge
    )
    people = [label.better for label in human_labels.compared]
    judge_verdicts = [
        c.better or _opposite(human) for c, human in zip(comparisons, people, strict=True)
    ]
    agreement = kappa(people, judge_verdicts, parse.BETTER_VALUES)
    errors = [c.error for c in comparisons if c.better is None]
    return standings.calibrate("pairwise", agreement, errors, human_labels, rubric, judge)


def _opposite(human: str) -> str:
    return "b" if human == "a" else "a"


def _compare_predictions(
    pairs: Sequence[tuple[Prediction, Prediction]], rubric: Rubric, judge: JudgePanel
) -> list[Comparison]:
    """Compare what both answered; where one did not, that is the error."""
    answered = [
        i for i, (candidate, other) in enumerate(pairs) if not (candidate.error or other.error)
    ]
    items = [
        (Item(p.row, p.prompt, p.got, p.expected), other.got)
        for p, other in (pairs[i] for i in answered)
    ]
    comparisons = [
        Comparison(None, error=candidate.error or other.error) for candidate, other in pairs
    ]
    for i, comparison in zip(answered, compare(items, rubric, judge), strict=True):
        comparisons[i] = comparison
    return comparisons


def _lost_findings(
    pairs: Sequence[tuple[Prediction, Prediction]], comparisons: Sequence[Comparison]
) -> Findings:
    lost = (
        Finding(
            p.row,
            p.line,
            "no verdict" if c.error else "lost",
            one_line(c.error or c.reason),
        )
        for (p, _), c in zip(pairs, comparisons, strict=True)
        if c.better in (None, "b")
    )
    return Findings("losses", lost, split="test", n=len(pairs))
