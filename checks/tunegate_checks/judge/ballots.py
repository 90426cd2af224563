"""Ask each judge each question, `repetitions` times, and combine the votes into one verdict."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from statistics import median_low
from typing import Generic, TypeVar

from tunegate.interfaces.model import Answer, Request
from tunegate.models.predict import Judge, JudgePanel

from .parse import UnusableAnswer
from .prompt import Messages, repair_prompt
from .rubric import Marks, Rubric

T = TypeVar("T")
# From the text of an answer to its value and the reason; raises UnusableAnswer.
ReadAnswer = Callable[[str], tuple[T, str]]
JUDGE_ERROR = "judge: "  # what the error of a row without a verdict begins with
UNPARSEABLE = f"{JUDGE_ERROR}unparseable answer after one repair"


@dataclass(frozen=True, slots=True)
class Vote(Generic[T]):
    """The verdict of one judge in one repetition, and its reason; `error` where there is none."""

    value: T | None
    reason: str = ""
    error: str = ""


def collect_votes(
    questions: Sequence[Messages], read: ReadAnswer[T], panel: JudgePanel
) -> list[list[Vote[T]]]:
    """Return the votes on each question: one for each judge and repetition."""
    votes_by_ballot: list[list[Vote[T]]] = []
    for judge, repetition in product(panel.judges, range(panel.repetitions)):
        votes: dict[int, Vote[T]] = {}
        repairs: dict[int, Messages] = {}
        for i, answer in _ask_judge(judge, dict(enumerate(questions)), repetition).items():
            vote = _read_vote(answer, read)
            if isinstance(vote, Vote):
                votes[i] = vote
            else:
                repairs[i] = repair_prompt(questions[i], answer.text, vote)
        for i, answer in _ask_judge(judge, repairs, repetition).items():
            vote = _read_vote(answer, read)
            unusable: Vote[T] = Vote(None, error=f"{UNPARSEABLE}: {vote}")
            votes[i] = vote if isinstance(vote, Vote) else unusable
        votes_by_ballot.append([votes[i] for i in range(len(questions))])
    return [*map(list, zip(*votes_by_ballot, strict=True))]


def _ask_judge(judge: Judge, questions: dict[int, Messages], repetition: int) -> dict[int, Answer]:
    """Return an answer to every question; where the judge gave none, one with an error."""
    requests = [Request(row, messages, repetition) for row, messages in questions.items()]
    answers = judge.ask(requests) if requests else {}
    no_answer = "the judge gave no answer"
    return {row: answers.get(row, Answer(row, error=no_answer)) for row in questions}


def _read_vote(answer: Answer, read: ReadAnswer[T]) -> Vote[T] | str:
    """Return the vote, or as a string what is wrong with the answer."""
    if answer.error:
        return Vote(None, error=f"{JUDGE_ERROR}{answer.error}")
    try:
        return Vote(*read(answer.text))
    except UnusableAnswer as error:
        return str(error)


def majority_marks(votes: Sequence[Vote[Marks]], rubric: Rubric) -> Marks | None:
    """Return the marks by majority; None where votes that are missing could change them.

    A criterion is met where more than half of all votes say so: a tie is not enough. On a scale the
    mark is the median, of two the lower.
    """
    outcomes: list[Marks] = []
    for assumed in rubric.extremes():
        cast = [vote.value if vote.value is not None else assumed for vote in votes]
        if rubric.scale:
            outcomes.append({"score": median_low(marks["score"] for marks in cast)})
        else:
            counts = {c.id: sum(marks[c.id] for marks in cast) for c in rubric.criteria}
            outcomes.append({criterion: 2 * n > len(cast) for criterion, n in counts.items()})
    worst, best = outcomes
    return worst if worst == best else None


def plurality_side(votes: Sequence[str | None]) -> str | None:
    """Return "a" or "b" where more than half say so, else "tie"; None where missing ones decide."""
    for_a, for_b, missing = votes.count("a"), votes.count("b"), votes.count(None)
    if 2 * max(for_a, for_b) > len(votes):
        return "a" if for_a > for_b else "b"
    return None if 2 * (max(for_a, for_b) + missing) > len(votes) else "tie"


def agreement(votes_by_item: Sequence[Sequence[Hashable]]) -> float:
    """Return the share of pairs of votes on the same item that are equal; NaN without a pair.

    Each pair counts the same. Source: J. L. Fleiss (1971), Psychological Bulletin 76:378-382.
    """
    pairs = [first == second for votes in votes_by_item for first, second in combinations(votes, 2)]
    return sum(pairs) / len(pairs) if pairs else math.nan
