"""Ballots: each question goes to every judge, as often as it is to be repeated, with one repair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tunegate.judge_panel import Judge, JudgePanel
from tunegate.protocols import Answer, Request

from . import prompt
from .prompt import Messages
from .verdicts import UnusableAnswer

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
