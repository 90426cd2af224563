"""Ballots: each question goes to every judge, as often as it is to be repeated, with one repair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tunegate.judge_panel import Judge, JudgePanel
from tunegate.protocols import Answer, Request

from . import prompt
from .prompt import Messages
from .verdicts import Unusable

T = TypeVar("T")
Read = Callable[[str], tuple[T, str]]  # raises Unusable
UNREAD = "judge: unparseable answer after one repair"


@dataclass(frozen=True, slots=True)
class Ballot(Generic[T]):
    """What one judge said once, and why; `error` says why nothing could be had."""

    vote: T | None
    reason: str = ""
    error: str = ""


def ballots(
    questions: Sequence[Messages], read: Read[T], panel: JudgePanel
) -> list[list[Ballot[T]]]:
    """Return the ballots on each question: one for each judge and repetition."""
    heard = [
        _heard(judge, questions, repetition, read)
        for judge in panel.judges
        for repetition in range(panel.repetitions)
    ]
    return [list(on_one) for on_one in zip(*heard, strict=True)]


def _heard(
    judge: Judge, questions: Sequence[Messages], repetition: int, read: Read[T]
) -> list[Ballot[T]]:
    answers = _ask(judge, dict(enumerate(questions)), repetition)
    found = {row: _ballot(answer, read) for row, answer in answers.items()}
    repairs = {
        row: prompt.again(questions[row], answers[row].text, ballot)
        for row, ballot in found.items()
        if isinstance(ballot, str)
    }
    for row, answer in _ask(judge, repairs, repetition).items():
        found[row] = _ballot(answer, read)
    return [_final(found[row]) for row in range(len(questions))]


def _ask(judge: Judge, questions: dict[int, Messages], repetition: int) -> dict[int, Answer]:
    requests = [Request(row, messages, repetition) for row, messages in questions.items()]
    answers = judge.ask(requests) if requests else {}
    silent = "the judge gave no answer"
    return {row: answers.get(row, Answer(row, error=silent)) for row in questions}


def _ballot(answer: Answer, read: Read[T]) -> Ballot[T] | str:
    """Return the ballot, or what is wrong with the answer."""
    if answer.error:
        return Ballot(None, error=f"judge: {answer.error}")
    try:
        return Ballot(*read(answer.text))
    except Unusable as error:
        return str(error)


def _final(ballot: Ballot[T] | str) -> Ballot[T]:
    return Ballot(None, error=f"{UNREAD}: {ballot}") if isinstance(ballot, str) else ballot
