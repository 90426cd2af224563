"""Predictions: each test example is put to a model once, and never again while nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from filelock import FileLock

from .answers import Answers
from .dataset import Dataset, Example
from .predictions import Prediction, Predictions
from .protocols import Answer, Model, Request
from .state import State

Progress = Callable[[int, int, int], None]  # done, total, errors


def question(example: Example) -> Request:
    """Return what the model is asked: every message before the reply, system prompt included."""
    end = len(example.messages) - 1 if example.reply else len(example.messages)
    return Request(example.row, example.messages[:end])


def predict(
    model: Model, test: Dataset, state: State, progress: Progress = lambda *_: None
) -> Predictions:
    """Return the model's predictions over the test set, asking only what the cache lacks.

    Under pytest-xdist each worker comes here: the first asks, the others wait and read.
    """
    answers = ask(model, [question(example) for example in test], state, progress)
    return _gathered(model.name, test, answers)


def ask(
    model: Model, requests: Sequence[Request], state: State, progress: Progress = lambda *_: None
) -> dict[int, Answer]:
    """Return the model's answers by row, asking only what the cache lacks; each row once."""
    with _cache(state) as cache, FileLock(state.path(f"answers-{model.digest[:16]}.lock")):
        answers = cache.get(model.digest, requests)
        missing = [r for r in requests if r.row not in answers]
        return answers | _ask(model, missing, cache, progress)


def recall(name: str, digest: str, test: Dataset, state: State) -> Predictions | None:
    """Return what the cache holds of a model's predictions, asking nothing; None for nothing."""
    with _cache(state) as cache:
        answers = cache.get(digest, [question(example) for example in test])
    return _gathered(name, test, answers) if answers else None


def _gathered(name: str, test: Dataset, answers: dict[int, Answer]) -> Predictions:
    rows = [_prediction(e, answers.get(e.row)) for e in test]
    return Predictions(rows, model=name, test=test.digest)


@contextmanager
def _cache(state: State) -> Iterator[Answers]:
    cache = Answers(state.path("answers.sqlite"))
    try:
        yield cache
    finally:
        cache.close()


def _ask(
    model: Model, requests: Sequence[Request], cache: Answers, progress: Progress
) -> dict[int, Answer]:
    asked = {request.row: request for request in requests}
    got: dict[int, Answer] = {}
    errors = 0
    with _closed(model.answers(requests) if requests else iter(())) as answers:
        for answer in answers:
            cache.put(model.digest, asked[answer.row], answer)
            got[answer.row] = answer
            errors += bool(answer.error)
            progress(len(got), len(requests), errors)
    return got


@contextmanager
def _closed(answers: Iterator[Answer]) -> Iterator[Iterator[Answer]]:
    """Close what can be closed, at once: an interrupted model must send nothing more."""
    try:
        yield answers
    finally:
        if close := getattr(answers, "close", None):
            close()


def _prediction(example: Example, answer: Answer | None) -> Prediction:
    if answer is None:
        answer = Answer(example.row, error="the model gave no answer")
    return Prediction(
        example.row, example.line, example.prompt, example.reply, answer.text, answer.error,
        answer.latency, answer.tokens, answer.cost, answer.prompt_tokens, answer.finish,
        {name: value for name, value in example.fields.items() if name != "messages"},
    )  # fmt: skip
