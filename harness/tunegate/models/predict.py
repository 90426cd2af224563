"""Puts each example to a model once and caches the answer; checks ask by `Ask`, `JudgePanel`."""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from ..data.canonical import calls_json, content_text, read_reply, request_digest
from ..data.dataset import Dataset, Example
from ..data.formats.row_format import given_tools
from ..interfaces.builtin_models import FileModel
from ..interfaces.model import Answer, Model, ModelUnknown, Request
from ..results.prediction import Prediction, Predictions
from ..storage.answer_cache import AnswerCache, request_key
from ..storage.state_dir import StateDir
from ..utils.files import sha256_json
from ..utils.progress import Progress


def request_of(example: Example, repetition: int = 0) -> Request:
    """Return what the model is asked: every message before the reply, and the tools of the row."""
    tools = given_tools(example.fields)
    return Request(example.row, example.given, repetition, tools, example.group)


def predict(
    model: Model, test: Dataset, state: StateDir,
    progress: Progress = lambda *_: None, *, times: int = 1,
) -> Predictions:  # fmt: skip
    """Return the model's predictions, asking what the cache lacks; with `times`, round by round."""
    rounds = []
    for repetition in range(times):
        requests = [request_of(example, repetition) for example in test]
        answers = cached_answers(model, requests, state, progress)
        rounds.append(_predictions_of(model.name, model.digest, test, requests, answers))
    return Predictions.repeated(rounds)


# Tells whether a test holds, and why, from the predictions so far, the rows of each look, and the
# number of this one; None where that is not decided.
StoppingRule = Callable[[Predictions, Sequence[Collection[int]], int], tuple[bool, str] | None]


def predict_until(
    model: Model, test: Dataset, state: StateDir, rules: Sequence[StoppingRule], may_pass: bool,
    progress: Progress = lambda *_: None,
) -> tuple[Predictions, dict[str, Any]]:  # fmt: skip
    """Return the predictions so far when one rule fails or, where it `may_pass`, all rules pass.

    Rows are asked in batches, in a random order that hangs on the digests of test set and model, so
    that no other one can be tried; the rules look at whole batches. With the predictions comes what
    a scorecard says of an early stop, {} where all rows were asked.
    """
    n, seed = len(test), sha256_json([test.digest, model.digest])[:12]
    size = max(20, -(-n // 50))
    ends = (*range(size, n, size), n)
    looks = [frozenset(example.row for example in test.drawn(t, seed)) for t in ends]
    rows: list[Prediction] = []
    for look, (before, end) in enumerate(zip((0, *ends), ends, strict=False)):
        rows += predict(model, test.drawn(end, seed, before), state, progress)
        rows.sort(key=lambda prediction: prediction.row)
        predictions = Predictions(rows, model=model.name, test=test.digest, digest=model.digest)
        decisions = [rule(predictions, looks, look) for rule in rules if end < n]
        fails = [why for passed, why in filter(None, decisions) if not passed]
        passes = [why for passed, why in filter(None, decisions) if passed and may_pass]
        if why := fails or passes * (len(passes) == len(decisions)):
            stop = {"rows": end, "of": n, "seed": seed, "looks": look + 1}
            return predictions, {"stopped": {**stop, "passed": not fails, "why": why}}
    return predictions, {}


def cached_answers(
    model: Model, requests: Sequence[Request], state: StateDir, progress: Progress = lambda *_: None
) -> dict[int, Answer]:
    """Return the model's answers by row, asking only what the cache lacks, the same question once.

    Each answer is in the cache before the next one is waited for, so an interrupted call continues
    where it ended. Under pytest-xdist all workers call this: the first one asks, the others wait
    for its lock and read. `progress` is called with the answers that came, those asked for, and the
    errors among them. What was asked for before `state.answers_since` is asked for again, and so is
    what a server said before it says that another model answers. A file of answers is not cached.
    """
    if isinstance(model, FileModel):
        return answers_of_file(model, requests)
    lock = FileLock(state.path(f"answers-{model.digest[:16]}.lock"))
    with closing(AnswerCache(state.path("answers.sqlite"))) as cache, lock:
        cached, new = cache.get(model.digest, requests, state.answers_since), dict[int, Answer]()
        while missing := [r for r in requests if r.row not in cached and r.row not in new]:
            new |= _ask(model, missing, cache, progress)
            for request in missing:
                new.setdefault(request.row, Answer(request.row, error="the model gave no answer"))
            if served := {answer.served_by for answer in new.values()} - {""}:
                cached = {i: a for i, a in cached.items() if a.served_by in (*served, "")}
        return cached | new


def _ask(
    model: Model, requests: Sequence[Request], cache: AnswerCache, progress: Progress
) -> dict[int, Answer]:
    """Ask each different question once, keep the answers, and return them by row."""
    same: dict[tuple[str, int], list[Request]] = {}
    by_group = getattr(model, "reads_group", False)
    for request in requests:
        same.setdefault(request_key(request, by_group), []).append(request)
    asked, new = {rows[0].row: rows for rows in same.values()}, dict[int, Answer]()
    answers = model.answers([rows[0] for rows in same.values()])
    done = errors = 0
    try:
        for answer in answers:
            answer, rows = replace(answer, asked_at=time.time()), asked[answer.row]
            cache.put(model.digest, rows[0], answer, by_group)
            new |= {request.row: replace(answer, row=request.row) for request in rows}
            done, errors = done + 1, errors + bool(answer.error)
            progress(done, len(asked), errors)
    finally:  # a generator that is closed at once sends no further request
        if close := getattr(answers, "close", None):
            close()
    return new


def answers_of_file(model: FileModel, requests: Sequence[Request]) -> dict[int, Answer]:
    """Return the answers of a file by row.

    Lines that name what they answer are matched by it: the digest of the request, or the text of
    its last message. Others are matched by their order. Raises ModelUnknown where a row has none,
    and where the file has another number of answers than the whole test set.
    """
    n, are_named = len(model.lines), all(asked for asked, _ in model.lines)
    if n != len(requests) and [r.row for r in requests] == list(range(len(requests))):
        raise ModelUnknown(f"{model.name}: {n:,} answers to {len(requests):,} rows; give each one")
    lines: dict[str | int, list[Answer]] = {}
    for i, (asked, answer) in enumerate(model.lines):
        lines.setdefault(asked if are_named else i, []).append(answer)
    answers = {}
    for request in requests:
        digest = request_digest(request.messages, request.tools)
        names = (digest, content_text(request.messages[-1]).strip()) if are_named else [request.row]
        if (named := next((lines[name] for name in names if lines.get(name)), None)) is None:
            raise ModelUnknown(f"{model.name}: no line answers row {request.row + 1} ({digest})")
        answers[request.row] = replace(named.pop(0), row=request.row, asked_at=time.time())
    return answers


def cached_predictions(
    name: str, digest: str, test: Dataset, state: StateDir, *, times: int = 1
) -> Predictions | None:
    """Return the predictions that the cache holds of a model, asking nothing; None for none."""
    rounds = []
    with closing(AnswerCache(state.path("answers.sqlite"))) as cache:
        for repetition in range(times):
            requests = [request_of(example, repetition) for example in test]
            if not (answers := cache.get(digest, requests, state.answers_since)):
                break
            rounds.append(_predictions_of(name, digest, test, requests, answers))
    return Predictions.repeated(rounds) if rounds else None


def _predictions_of(
    name: str, digest: str, test: Dataset, requests: Sequence[Request], answers: dict[int, Answer]
) -> Predictions:
    """Join each example with its answer; one without an answer is an error."""
    predictions = []
    for example, request in zip(test, requests, strict=True):
        answer = answers.get(example.row) or Answer(example.row, error="the model gave no answer")
        got, reasoning, calls = read_reply(answer.text, request.tools)
        prediction = Prediction(
            example.row, example.line, example.prompt, read_reply(example.reply)[0], got,
            answer.error, answer.latency, answer.tokens, answer.cost, answer.prompt_tokens,
            answer.finish, {k: value for k, value in example.fields.items() if k != "messages"},
            calls=calls_json([{"tool_calls": [*(answer.tool_calls or calls)]}]),
            expected_calls=calls_json(example.messages[len(example.given) :]),
            reasoning="\n".join(filter(None, (answer.reasoning, reasoning))),
            references=example.references, asked_at=answer.asked_at,
            given=example.given, group=example.group,
            request=request_digest(request.messages, request.tools),
        )  # fmt: skip
        predictions.append(prediction)
    return Predictions(predictions, model=name, test=test.digest, digest=digest)


class Ask(Protocol):
    """Puts rows that a check made to a model of the session: the fixture `ask`.

    All rows go in one batch, each is asked once, and answers are cached. The predictions are empty
    where there are no rows, and where the model is a file of answers, which has none to new rows.
    """

    def __call__(self, dataset: Dataset, role: str = "candidate") -> Predictions:
        """Return the answers of the candidate, the "baseline" or any model spec, in row order."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that grades answers: `ask` returns its replies by row, out of the cache or anew."""

    name: str
    digest: str
    ask: Callable[[Sequence[Request]], dict[int, Answer]]


@dataclass(frozen=True, slots=True, repr=False)
class JudgePanel:
    """Judges, their rubric, and the agreement with people that they need to close a gate."""

    judges: Sequence[Judge]
    rubric: Path
    labels: Path | None = None  # the file of human labels
    repetitions: int = 1  # how often each judge is asked
    # The least values that a calibration needs.
    kappa: float = 0.6
    swap_consistency: float = 0.8  # the share of verdicts that stay when answers change places
    fewest_labels: int = 30

    def __repr__(self) -> str:
        """Return a short form: pytest shows it beside every failed comparison."""
        return f"<judges: {', '.join(judge.name for judge in self.judges)}>"
