"""Predictions: each test example is put to a model once, and never again while nothing changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from filelock import FileLock

from ..data.dataset import Dataset, Example
from ..interfaces.model import Answer, Model, Request
from ..results.prediction import Prediction, Predictions
from ..storage.answer_cache import AnswerCache
from ..storage.state_dir import StateDir

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..results.prediction import Predictions
    from ..utils.progress import Progress


def request_of(example: Example) -> Request:
    """Return what the model is asked: every message before the reply, system prompt included."""
    end = len(example.messages) - 1 if example.reply else len(example.messages)
    return Request(example.row, example.messages[:end])


def predict(
    model: Model, test: Dataset, state: StateDir, progress: Progress = lambda *_: None
) -> Predictions:
    """Return the model's predictions over the test set, asking only what the cache lacks.

    Under pytest-xdist each worker comes here: the first asks, the others wait and read.
    """
    answers = cached_answers(model, [request_of(example) for example in test], state, progress)
    return _predictions_of(model.name, test, answers)


def cached_answers(
    model: Model, requests: Sequence[Request], state: StateDir, progress: Progress = lambda *_: None
) -> dict[int, Answer]:
    """Return the model's answers by row, asking only what the cache lacks; each row once."""
    with _open_cache(state) as cache, FileLock(state.path(f"answers-{model.digest[:16]}.lock")):
        answers = cache.get(model.digest, requests)
        missing = [r for r in requests if r.row not in answers]
        return answers | _ask_model(model, missing, cache, progress)


def cached_predictions(
    name: str, digest: str, test: Dataset, state: StateDir
) -> Predictions | None:
    """Return what the cache holds of a model's predictions, asking nothing; None for nothing."""
    with _open_cache(state) as cache:
        answers = cache.get(digest, [request_of(example) for example in test])
    return _predictions_of(name, test, answers) if answers else None


def _predictions_of(name: str, test: Dataset, answers: dict[int, Answer]) -> Predictions:
    rows = [_prediction_of(e, answers.get(e.row)) for e in test]
    return Predictions(rows, model=name, test=test.digest)


@contextmanager
def _open_cache(state: StateDir) -> Iterator[AnswerCache]:
    cache = AnswerCache(state.path("answers.sqlite"))
    try:
        yield cache
    finally:
        cache.close()


def _ask_model(
    model: Model, requests: Sequence[Request], cache: AnswerCache, progress: Progress
) -> dict[int, Answer]:
    requests_by_row = {request.row: request for request in requests}
    answered: dict[int, Answer] = {}
    errors = 0
    with _closing(model.answers(requests) if requests else iter(())) as answers:
        for answer in answers:
            cache.put(model.digest, requests_by_row[answer.row], answer)
            answered[answer.row] = answer
            errors += bool(answer.error)
            progress(len(answered), len(requests), errors)
    return answered


@contextmanager
def _closing(answers: Iterator[Answer]) -> Iterator[Iterator[Answer]]:
    """Close what can be closed, at once: an interrupted model must send nothing more."""
    try:
        yield answers
    finally:
        if close := getattr(answers, "close", None):
            close()


def _prediction_of(example: Example, answer: Answer | None) -> Prediction:
    if answer is None:
        answer = Answer(example.row, error="the model gave no answer")
    return Prediction(
        example.row, example.line, example.prompt, example.reply, answer.text, answer.error,
        answer.latency, answer.tokens, answer.cost, answer.prompt_tokens, answer.finish,
        {name: value for name, value in example.fields.items() if name != "messages"},
    )  # fmt: skip


class Ask(Protocol):
    """Puts rows of a check's own making to a model of the session: the fixture `ask`.

    All of them in one batch, each once and cached. Empty where there are no rows, and where the
    model is a file of answers: it cannot be asked anything new.
    """

    def __call__(self, dataset: Dataset, role: str = "candidate") -> Predictions:
        """Return the answers of the candidate, or of the "baseline", in the order of the rows."""
