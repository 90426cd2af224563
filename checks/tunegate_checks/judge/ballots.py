"""Ballots: each question goes to every judge, as often as it is to be repeated, with one repair."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Generic, TypeVar

from tunegate.interfaces.model import Answer, Request
from tunegate.models.judge_panel import Judge, JudgePanel
from tunegate.results.intervals import Z95, wilson

from . import prompt
from .parse import UnusableAnswer
from .prompt import Messages
from .rubric import Marks, Rubric

T = TypeVar("T")
ReadAnswer = Callable[[str], tuple[T, str]]  # raises Unusable
UNPARSEABLE = "judge: unparseable answer after one repair"


@dataclass(frozen=True, slots=True)
class Vote(Generic[T]):
    """What one judge said once, and why; `error` says why nothing could be had."""

    value: T | None
    reason: str = ""
    error: str = ""


def collect_votes(
    questions: Sequence[Messages], read: ReadAnswer[T], panel: JudgePanel
) -> list[list[Vote[T]]]:
    """Return the ballots on each question: one for each judge and repetition."""
    votes_by_judge = [
        _votes_of_judge(judge, questions, repetition, read)
        for judge in panel.judges
        for repetition in range(panel.repetitions)
    ]
    return [list(question_votes) for question_votes in zip(*votes_by_judge, strict=True)]


def _votes_of_judge(
    judge: Judge, questions: Sequence[Messages], repetition: int, read: ReadAnswer[T]
) -> list[Vote[T]]:
    answers = _ask_judge(judge, dict(enumerate(questions)), repetition)
    votes = {row: _read_vote(answer, read) for row, answer in answers.items()}
    repairs = {
        row: prompt.repair_prompt(questions[row], answers[row].text, vote)
        for row, vote in votes.items()
        if isinstance(vote, str)
    }
    for row, answer in _ask_judge(judge, repairs, repetition).items():
        votes[row] = _read_vote(answer, read)
    return [_final_vote(votes[row]) for row in range(len(questions))]


def _ask_judge(judge: Judge, questions: dict[int, Messages], repetition: int) -> dict[int, Answer]:
    requests = [Request(row, messages, repetition) for row, messages in questions.items()]
    answers = judge.ask(requests) if requests else {}
    no_answer = "the judge gave no answer"
    return {row: answers.get(row, Answer(row, error=no_answer)) for row in questions}


def _read_vote(answer: Answer, read: ReadAnswer[T]) -> Vote[T] | str:
    """Return the ballot, or what is wrong with the answer."""
    if answer.error:
        return Vote(None, error=f"judge: {answer.error}")
    try:
        return Vote(*read(answer.text))
    except UnusableAnswer as error:
        return str(error)


def _final_vote(vote: Vote[T] | str) -> Vote[T]:
    return Vote(None, error=f"{UNPARSEABLE}: {vote}") if isinstance(vote, str) else vote


# [merged] Votes: one verdict of several ballots, and how far the ballots agree.


def majority_marks(votes: Sequence[Vote[Marks]], rubric: Rubric) -> Marks | None:
    """Return the marks that the ballots make; None where ballots that are missing could decide.

    A criterion is met where more than half of all ballots say so: a tie is not. On a scale it is
    the median, the lower of two.
    """
    worst, best = rubric.extremes()
    low, high = (
        _combine([b.value if b.value is not None else assumed for b in votes], rubric)
        for assumed in (worst, best)
    )
    return low if low == high else None


def _combine(votes: Sequence[Marks], rubric: Rubric) -> Marks:
    if rubric.scale:
        return {"score": sorted(vote["score"] for vote in votes)[(len(votes) - 1) // 2]}
    return {c.id: sum(vote[c.id] for vote in votes) * 2 > len(votes) for c in rubric.criteria}


def plurality_side(votes: Sequence[str | None]) -> str | None:
    """Return "a" or "b" where more than half say so, else "tie"; None where a missing one decides.

    None among the votes is one that is missing.
    """
    for_a, for_b, missing = votes.count("a"), votes.count("b"), votes.count(None)
    possible = {
        _winner(for_a + missing, for_b, len(votes)),
        _winner(for_a, for_b + missing, len(votes)),
    }
    return possible.pop() if len(possible) == 1 else None


def _winner(for_a: int, for_b: int, n: int) -> str:
    return "a" if 2 * for_a > n else "b" if 2 * for_b > n else "tie"


def agreement(votes_by_item: Sequence[Sequence[Hashable]]) -> float:
    """Return the share of pairs of ballots on the same reply that are alike; NaN without a pair.

    Source: the observed agreement of J. L. Fleiss (1971), Psychological Bulletin 76:378-382,
    each pair counting the same.
    """
    pairs = [first == second for votes in votes_by_item for first, second in combinations(votes, 2)]
    return sum(pairs) / len(pairs) if pairs else math.nan


def mean_bounds(total: float, n: int) -> tuple[float, float, float]:
    """Return low and high (95 %), and the one-sided lower bound, of a mean of values in [0, 1].

    `total` is the sum of the n values. Wilson's interval, as if the mean were a proportion: such
    values vary by p (1 - p) at most, so that it is never too short. A bootstrap of 20 wins in 20
    would have no width at all.
    """
    (low, high), (lower, _) = (wilson(total, n, z) for z in (Z95, 1.644854))
    return max(low, 0.0), min(high, 1.0), max(lower, 0.0)  # rounding
