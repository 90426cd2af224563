"""Ask each judge each question, read the verdicts in their answers, and combine the votes.

Models think first and explain, whatever the prompt says. What is read: the object of the schema
among other words, with other keys beside, without a reason, with a comma too many, as Python writes
it, and without `verdicts` around its criteria; true and false as yes, no, sim, não, 1 and 0; a
whole number as 4.0, "4", or "4/5" of 5. Two objects that say different things are no verdict.
"""

import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from statistics import median_low
from typing import Any, Generic, TypeVar

from tunegate.interfaces.model import Answer, Request
from tunegate.models.predict import Judge, JudgePanel
from tunegate.utils.strict_json import Unreadable, find_objects, parse_strict
from tunegate.utils.text import cut, split_reasoning

from .prompt import Messages, repair_prompt
from .rubric import Marks, Rubric

T = TypeVar("T")
# From the text of an answer to its value and the reason; raises UnusableAnswer.
ReadAnswer = Callable[[str], tuple[T, str]]
JUDGE_ERROR = "judge: "  # what the error of a row without a verdict begins with
UNPARSEABLE = f"{JUDGE_ERROR}unparseable answer after one repair"
BETTER_VALUES = ("a", "b", "tie")
_TRUE, _FALSE = ("true", "yes", "sim", "1"), ("false", "no", "não", "nao", "0")
_WHOLE_NUMBER = re.compile(r"\s*(-?\d+)(?:\.0*)?\s*(?:/\s*(\d+)\s*)?")
_EXTRA_COMMA = re.compile(r",(?=\s*[}\]])")
_JSON_WORDS = {"'": '"', "True": "true", "False": "false", "None": "null"}
_PYTHON_WORD = re.compile(r"'|\b(?:True|False|None)\b")


class UnusableAnswer(ValueError):
    """A judge's answer holds no verdict by the schema; the message says where."""


def parse_marks(text: str, rubric: Rubric) -> tuple[Marks, str]:
    """Return the marks and the reason; raises UnusableAnswer."""
    ids = [c.id for c in rubric.criteria]

    def score_of(body: Mapping[str, Any]) -> Marks:
        (low, high), score = rubric.scale or (0, 0), body["score"]
        match = None if isinstance(score, bool) else _WHOLE_NUMBER.fullmatch(str(score))
        if not match or not low <= int(match[1]) <= high or match[2] not in (None, str(high)):
            raise _invalid("score", score, f"a whole number, {low} to {high}")
        return {"score": int(match[1])}

    def verdicts_of(body: Mapping[str, Any]) -> Marks:
        verdicts, marks = body.get("verdicts", body), {}
        _require_keys(verdicts, ids, "verdicts")
        for criterion in ids:
            if (word := str(verdicts[criterion]).strip().lower()) not in _TRUE + _FALSE:
                raise _invalid(f"verdicts.{criterion}", verdicts[criterion], "true, false")
            marks[criterion] = word in _TRUE
        return marks

    return _read(text, "verdicts", ids, verdicts_of) if ids else _read(text, "score", [], score_of)


def parse_better(text: str) -> tuple[str, str]:
    """Return which answer is better, "a", "b" or "tie", and the reason; raises UnusableAnswer."""

    def better_of(body: Mapping[str, Any]) -> str:
        if (better := str(body["better"]).strip().lower()) not in BETTER_VALUES:
            raise _invalid("better", body["better"], ", ".join(BETTER_VALUES))
        return better

    return _read(text, "better", [], better_of)


def _invalid(name: str, value: Any, valid: str) -> UnusableAnswer:
    return UnusableAnswer(f"{name} is {cut(ascii(value), 60)}; valid: {valid}")


def _read(
    text: str, verdict: str, ids: list[str], value_of: Callable[[Mapping[str, Any]], T]
) -> tuple[T, str]:
    """Return the verdict and the reason, of an object with the key `verdict`, or all of `ids`."""
    answer = split_reasoning(text)[1]
    try:
        # Without its key, what looks like a verdict can be the inside of one that was cut off.
        keys = ids if ids and verdict not in answer else [verdict]
        plain = _EXTRA_COMMA.sub("", answer)
        forms = answer, plain, _PYTHON_WORD.sub(lambda m: _JSON_WORDS[m[0]], plain)
        found = (find_objects(form, lambda body: any(k in body for k in keys)) for form in forms)
        bodies = next(filter(None, found), None) or [parse_strict(answer.strip())]
    except Unreadable as error:
        raise UnusableAnswer(str(error).partition(" (line ")[0]) from None
    for body in bodies:
        _require_keys(body, keys, "the answer")
    values = [value_of(body) for body in bodies]
    if any(value != values[0] for value in values):
        raise UnusableAnswer(f"{len(bodies)} objects with verdicts that differ; one is needed")
    reason = bodies[-1].get("reason")
    return values[-1], "" if reason is None else str(reason)


def _require_keys(value: Any, keys: list[str], name: str) -> None:
    """Raise UnusableAnswer for what is no object with these keys."""
    if not isinstance(value, dict):
        shown = cut(ascii(value), 60)
        raise UnusableAnswer(f"{name} is {shown}; an object with {', '.join(keys)} is needed")
    if missing := [key for key in keys if key not in value]:
        raise UnusableAnswer(f"{name} lacks {missing[0]!r}; needed: {', '.join(keys)}")


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
    return {i: answers.get(i, Answer(i, error="the judge gave no answer")) for i in questions}


def _read_vote(answer: Answer, read: ReadAnswer[T]) -> Vote[T] | str:
    """Return the vote, or as a string what is wrong with the answer."""
    if answer.error:
        return Vote(None, error=f"{JUDGE_ERROR}{answer.error}")
    try:
        return Vote(*read(answer.text))
    except UnusableAnswer as error:
        return str(error)


def majority_marks(votes: Sequence[Vote[Marks]], rubric: Rubric) -> Marks | None:
    """Return the marks by majority; None where votes that are missing could change them."""
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
    """Return the share of pairs of votes on the same item that are equal; NaN without a pair."""
    # J. L. Fleiss (1971), Psychological Bulletin 76:378-382; here each pair counts the same.
    pairs = [first == second for votes in votes_by_item for first, second in combinations(votes, 2)]
    return sum(pairs) / len(pairs) if pairs else math.nan
