"""Puts each test example to a model once; the answer cache gives the answers of later runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Protocol

from filelock import FileLock

from ..data.dataset import Dataset, Example
from ..interfaces.model import Answer, Model, Request
from ..results.prediction import Prediction, Predictions
from ..storage.answer_cache import AnswerCache
from ..storage.state_dir import StateDir
from ..utils.hashing import sha256_bytes
from ..utils.progress import Progress


def request_of(example: Example) -> Request:
    """Return what the model is asked: every message before the reply, system prompt included."""
    return Request(example.row, example.given)


def predict(
    model: Model, test: Dataset, state: StateDir, progress: Progress = lambda *_: None
) -> Predictions:
    """Return the model's predictions over the test set, asking only what the cache lacks."""
    answers = cached_answers(model, [request_of(example) for example in test], state, progress)
    return _predictions_of(model.name, test, answers)


def cached_answers(
    model: Model, requests: Sequence[Request], state: StateDir, progress: Progress = lambda *_: None
) -> dict[int, Answer]:
    """Return the model's answers by row, asking only what the cache lacks.

    Each answer is in the cache before the next one is waited for, so an interrupted call continues
    where it ended. Under pytest-xdist all workers call this: the first one asks, the others wait
    for its lock and read. `progress` is called with the answers that came, those asked for, and the
    errors among them.
    """
    lock = FileLock(state.path(f"answers-{model.digest[:16]}.lock"))
    with closing(AnswerCache(state.path("answers.sqlite"))) as cache, lock:
        cached = cache.get(model.digest, requests)
        missing = [r for r in requests if r.row not in cached]
        request_by_row = {request.row: request for request in missing}
        new: dict[int, Answer] = {}
        errors = 0
        answers = model.answers(missing) if missing else iter(())
        try:
            for answer in answers:
                cache.put(model.digest, request_by_row[answer.row], answer)
                new[answer.row] = answer
                errors += bool(answer.error)
                progress(len(new), len(missing), errors)
        finally:  # a generator that is closed at once sends no further request
            if close := getattr(answers, "close", None):
                close()
        return cached | new


def cached_predictions(
    name: str, digest: str, test: Dataset, state: StateDir
) -> Predictions | None:
    """Return the predictions that the cache holds of a model, asking nothing; None for none."""
    with closing(AnswerCache(state.path("answers.sqlite"))) as cache:
        answers = cache.get(digest, [request_of(example) for example in test])
    return _predictions_of(name, test, answers) if answers else None


def _predictions_of(name: str, test: Dataset, answers: dict[int, Answer]) -> Predictions:
    """Join each example with its answer; one without an answer is an error."""
    predictions = []
    for example in test:
        answer = answers.get(example.row) or Answer(example.row, error="the model gave no answer")
        prediction = Prediction(
            example.row, example.line, example.prompt, example.reply, answer.text, answer.error,
            answer.latency, answer.tokens, answer.cost, answer.prompt_tokens, answer.finish,
            {key: value for key, value in example.fields.items() if key != "messages"},
            example.given, example.group, sha256_bytes(example.context.encode(errors="replace")),
        )  # fmt: skip
        predictions.append(prediction)
    return Predictions(predictions, model=name, test=test.digest)


class Ask(Protocol):
    """Puts rows that a check made to a model of the session: the fixture `ask`.

    All rows go in one batch, each is asked once, and answers are cached. The predictions are empty
    where there are no rows, and where the model is a file of answers, which has none to new rows.
    """

    def __call__(self, dataset: Dataset, role: str = "candidate") -> Predictions:
        """Return the answers of the candidate, or of the "baseline", in the order of the rows."""
