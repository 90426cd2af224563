"""A strategy, `[models.NAME]` with `of`: another model behind a prompt of its own.

The prompt is a system text, examples of the task as earlier turns, and passages of documents behind
the system text. What the model is asked is written anew, its answers are passed on. The digest is
that of the model and of all that makes the prompt, so that cache, evaluations and comparisons treat
a strategy as any model. It belongs to no run: it can be scored, and is never promoted.

No example stands in the prompt of a question that it asks too, equally or nearly, or of its group.
"""

import logging
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from glob import glob
from importlib.metadata import version
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any

from ..config.data_files import DataFiles, find_data_files, read_text
from ..config.schema import Config, StrategyTable
from ..config.settings import parse_settings
from ..data.canonical import content_text
from ..data.comparison import (
    folded_text,
    group_indices,
    history_keys,
    meaning_signs,
    question_key,
    rows_in_training,
)
from ..data.dataset import Dataset, Example
from ..errors import ConfigError
from ..interfaces.builtin_models import FileModel
from ..interfaces.model import Answer, Budget, Model, ModelUnknown, Request, hold_to_budget
from ..similarity import ratio
from ..utils.hashing import sha256_json
from ..utils.optional_deps import MissingDependency, require
from ..utils.text import count_words, os_error_text, without_accents, words_of

RULE = 1  # the way in which prompts are made: another one is another model
PASSAGE_WORDS = 200
SYSTEM_ROLES = ("system", "developer")

# From a question to indices and scores, the best first.
Ranker = Callable[[str], Sequence[tuple[int, float]]]


@dataclass(frozen=True)
class Shots:
    """Examples of which `count` are shown, those first that `rank` puts first."""

    rows: Sequence[Example]
    count: int
    rank: Ranker
    similarity: float  # of a near question

    def fit(self, request: Request, question: str) -> tuple[list[Example], bool]:
        """Return the examples for a question, the best last, and whether some were left out."""
        fields = {"messages": request.messages, **({"tools": t} if (t := request.tools) else {})}
        key, signs = question_key(Example(0, 0, fields)), meaning_signs(question)
        left_out = False

        def fitting() -> Iterator[Example]:
            nonlocal left_out
            for index, _ in self.rank(question):
                row = self.rows[index]
                texts = folded_text(row.prompt), folded_text(question)
                near = meaning_signs(row.prompt) == signs and ratio(*texts) >= self.similarity
                same_group = request.group and row.group == request.group
                if near or same_group or key in history_keys(row):
                    left_out = True
                else:
                    yield row

        return [*islice(fitting(), self.count)][::-1], left_out


@dataclass(frozen=True)
class Passages:
    """Parts of documents, each with the name of its file; the `top` best are shown."""

    parts: Sequence[tuple[str, str]]
    top: int
    rank: Ranker

    def text(self, question: str) -> str:
        """Return the passages that have words of the question, as the prompt shows them."""
        best = [self.parts[i] for i, score in self.rank(question)[: self.top] if score > 0]
        return "\n\n".join(f"[{n}] {name}\n{part}" for n, (name, part) in enumerate(best, start=1))


@dataclass(eq=False)
class Strategy:
    """A model that asks `inner` with another prompt."""

    name: str
    inner: Model
    digest: str
    system: str
    shots: Shots | None
    passages: Passages | None
    asked: int = field(default=0, init=False)
    left_out: int = field(default=0, init=False)  # questions without a shot that asks the same

    @property
    def temperature(self) -> Any:
        """That of the model; None where it has none."""
        return getattr(self.inner, "temperature", None)

    @property
    def note(self) -> str:
        """How many of the questions asked now had a shot left out; "" for none."""
        if not self.left_out:
            return ""
        asked = f"{self.left_out:,} of {self.asked:,} questions of {self.name}"
        return f"left out for {asked}: they ask the same, nearly, or are of its group"

    def with_budget(self, budget: Budget) -> Model:
        """Return the strategy, its model held to the budget; raises ModelUnknown."""
        return replace(self, inner=hold_to_budget(budget, self.inner))

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Return the model's answers to the questions in their new prompts."""
        return self.inner.answers([*map(self.prompted, requests)])

    def prompted(self, request: Request) -> Request:
        """Return what the model is asked instead."""
        messages = [*request.messages]
        turns = next((i for i, m in enumerate(messages) if m["role"] not in SYSTEM_ROLES), 0)
        own, rest = messages[:turns], messages[turns:]
        question = "\n".join(content_text(m) for m in rest if m["role"] not in SYSTEM_ROLES)
        passages = self.passages.text(question) if self.passages else ""
        if self.system or passages:
            texts = dict.fromkeys([self.system, *(content_text(m).strip() for m in own), passages])
            own = [{"role": "system", "content": "\n\n".join(filter(None, texts))}]
        examples, some_left_out = self.shots.fit(request, question) if self.shots else ([], False)
        self.asked, self.left_out = self.asked + 1, self.left_out + some_left_out
        shown = chain.from_iterable(example.messages for example in examples)
        earlier = (message for message in shown if message["role"] not in SYSTEM_ROLES)
        return replace(request, messages=[*own, *earlier, *rest])


def open_strategy(
    name: str, root: Path, config: Config, open_inner: Callable[[str], Model]
) -> Strategy:
    """Open the strategy `[models.NAME]`; raises ModelUnknown naming what is wrong there."""
    try:
        table = parse_settings(StrategyTable, config.models[name])
        if table.of in config.strategies:
            raise ValueError(f"of = {table.of!r} is a strategy: name a model")
        inner = open_inner(table.of)
        if isinstance(inner, FileModel):
            raise ValueError(f"of = {table.of!r}: a file of answers reads no prompt")
        identity: dict[str, Any] = {"of": inner.digest, "rule": RULE}
        system = read_text(root / table.system, "system").strip() if table.system else ""
        shots, identity["shots"] = _open_shots(table, root, config)
        passages, identity["documents"] = _open_documents(table, root)
        if table.pick == "nearest" or passages:
            identity["bm25s"] = version("bm25s")
        digest = sha256_json({**identity, "system": system})
        return Strategy(name, inner, digest, system, shots, passages)
    except (ValueError, ConfigError, ModelUnknown, MissingDependency, OSError) as error:
        raise ModelUnknown(f"[models.{name}] {os_error_text(error)}") from None


def _open_shots(table: StrategyTable, root: Path, config: Config) -> tuple[Shots | None, Any]:
    """Return the examples and what identifies them; none for none. Raises ValueError."""
    if table.shots is None:
        return None, None
    files, similarity = find_data_files(config, root, {}, root), float(config.limits.similarity)
    reading = config.reading
    if isinstance(table.shots, int):
        dataset = files.get("train")
        rows = [e for e in dataset if len(e.given) < len(e.messages)]
        ordered, rank = _order(rows, table)
        shots = Shots(ordered, table.shots, rank, similarity)
    else:
        dataset = Dataset.read(root / table.shots, "shots", reading=reading)
        if faults := [p for p in dataset.problems if not p.hint]:
            raise ValueError(f"{table.shots}, line {faults[0].line}: {faults[0].evidence}")
        _refuse_test_rows(dataset, files, table.shots)
        shots = Shots(dataset, len(dataset), lambda _: [(i, 0.0) for i in range(len(dataset))],
                      similarity)  # fmt: skip
    how = [reading.label.name, reading.group_by, table.shots, table.pick, table.seed, similarity]
    return shots, [dataset.identity, *how]


def _order(rows: Sequence[Example], table: StrategyTable) -> tuple[Sequence[Example], Ranker]:
    """Return training rows, and what ranks them for a question."""
    if table.pick == "nearest":
        return rows, ranker([example.prompt for example in rows])
    mixed = random.Random(table.seed).sample(rows, len(rows))
    if table.pick == "balanced":
        by_label = group_indices(mixed, lambda e: e.label)
        turns = zip_longest(*(by_label[label] for label in sorted(by_label)))
        mixed = [mixed[i] for i in chain.from_iterable(turns) if i is not None]
    order = [(i, 0.0) for i in range(len(mixed))]
    return mixed, lambda _: order


def _refuse_test_rows(shots: Dataset, files: DataFiles, name: str) -> None:
    """Raise ValueError where an example stands in the validation or the test set."""
    for split in ("validation", "test"):
        if split in files.paths and (found := rows_in_training(files.get(split), shots)):
            (i, (shot, *_)), *_ = found.items()
            place = f"{split} line {files.get(split)[i].line}"
            raise ValueError(f"{name}, line {shots[shot].line} stands in {place}: no shot may")


def _open_documents(table: StrategyTable, root: Path) -> tuple[Passages | None, Any]:
    """Return the passages and what identifies them; none for none. Raises ValueError."""
    texts: dict[str, str] = {}
    for pattern in table.documents:
        found = map(Path, glob(str(root / pattern), recursive=True))
        paths = sorted(path for path in found if path.is_file())
        if not paths:
            raise ValueError(f"documents names {pattern!r}, and there is no such file")
        texts |= {str(p.relative_to(root)): read_text(p, "documents") for p in paths}
    if not texts:
        return None, None
    parts = [(name, part) for name, text in texts.items() for part in passages_of(text)]
    rank = ranker([f"{name}\n{part}" for name, part in parts])
    return Passages(parts, table.top, rank), [texts, table.top, PASSAGE_WORDS]


def passages_of(text: str) -> Iterator[str]:
    """Yield the passages of a document: paragraphs, or lines of long ones, up to 200 words."""
    passage: list[str] = []
    for paragraph in re.split(r"\n[^\S\n]*\n", text):
        is_long = count_words(paragraph) > PASSAGE_WORDS
        for part in paragraph.splitlines() if is_long else [paragraph]:
            if passage and count_words(" ".join([*passage, part])) > PASSAGE_WORDS:
                yield "\n\n".join(passage)
                passage = []
            if part.strip():
                passage.append(part.strip())
    if passage:
        yield "\n\n".join(passage)


def ranker(texts: Iterable[str]) -> Ranker:
    """Return what ranks these texts for a question by BM25; ties stay in order.

    Words are compared without case and accents; each letter of a script without spaces is one.
    Raises MissingDependency.
    """
    bm25s = require("bm25s", "retrieval")
    import numpy as np

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    words = [_words(text) for text in texts]
    index = bm25s.BM25()
    if has_words := any(words):
        index.index(words, show_progress=False)

    def rank(question: str) -> Sequence[tuple[int, float]]:
        asked = _words(question)
        scores = index.get_scores(asked) if has_words and asked else np.zeros(len(words))
        return [(int(i), float(scores[i])) for i in np.argsort(-scores, kind="stable")]

    return rank


def _words(text: str) -> list[str]:
    return words_of(without_accents(folded_text(text)))
