"""A strategy, `[models.NAME]` with `of`: another model behind a prompt of its own.

The prompt is a system text, examples ("shots") as earlier turns, and passages of documents behind
the system text. Answers are passed on. The digest is that of the model and of all that makes the
prompt, so that cache, evaluations and comparisons treat a strategy as any model.

No example stands in the prompt of a question that it asks too, equally or nearly, or of its group.
"""

import logging
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from glob import glob
from importlib.metadata import version
from itertools import chain, takewhile, zip_longest
from pathlib import Path
from typing import Any, TypeVar

from ..config.data_files import find_data_files, read_text
from ..config.schema import Config, StrategyTable, parse_settings
from ..data import comparison
from ..data.canonical import content_text
from ..data.comparison import folded_text, group_indices, history_keys, meaning_signs, question_key
from ..data.dataset import Dataset, Example
from ..errors import ConfigError
from ..interfaces.builtin_models import FileModel
from ..interfaces.model import Answer, Budget, Model, ModelUnknown, Request, hold_to_budget
from ..similarity import ratio
from ..utils.files import sha256_json
from ..utils.optional_deps import MissingDependency, require
from ..utils.text import count_words, os_error_text, without_accents, words_of

RULE = 1  # the way in which prompts are made: another one is another model
PASSAGE_WORDS = 200
SYSTEM_ROLES = ("system", "developer")

T = TypeVar("T")
Ranker = Callable[[str], Sequence[tuple[T, float]]]  # from a question to items, the best first


@dataclass(eq=False)
class Strategy:
    """A model that asks `inner` with another prompt; the best examples stand last."""

    name: str
    inner: Model
    digest: str
    system: str
    shots: int  # the most examples that are shown
    examples: Ranker[Example]
    top: int  # the most passages
    passages: Ranker[tuple[str, str]]  # each with the name of its file
    similarity: float  # of questions that nearly ask the same

    @property
    def temperature(self) -> Any:
        """That of the model; None where it has none."""
        return getattr(self.inner, "temperature", None)

    @property
    def reads_group(self) -> bool:
        """Whether the prompt depends on the group of a row, and so the answer in the cache."""
        return self.shots > 0

    def with_budget(self, budget: Budget) -> Model:
        """Return the strategy, its model held to the budget; raises ModelUnknown."""
        return replace(self, inner=hold_to_budget(budget, self.inner))

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Return the model's answers to the questions in their new prompts."""
        return self.inner.answers([*map(self.prompted, requests)])

    def prompted(self, request: Request) -> Request:
        """Return what the model is asked instead."""
        own = [*takewhile(lambda m: m["role"] in SYSTEM_ROLES, request.messages)]
        rest = request.messages[len(own) :]
        question = "\n".join(map(content_text, rest))
        best = [passage for passage, score in self.passages(question)[: self.top] if score > 0]
        passages = "\n\n".join(f"[{n}] {file}\n{x}" for n, (file, x) in enumerate(best, start=1))
        if self.system or passages:
            texts = dict.fromkeys([self.system, *(content_text(m).strip() for m in own), passages])
            own = [{"role": "system", "content": "\n\n".join(filter(None, texts))}]
        examples = self._fitting(request, question)
        earlier = (m for row in examples for m in row.messages if m["role"] not in SYSTEM_ROLES)
        return replace(request, messages=[*own, *earlier, *rest])

    def _fitting(self, request: Request, question: str) -> list[Example]:
        """Return the examples for a question, without those that ask it or are of its group."""
        fields = {"messages": request.messages, **({"tools": t} if (t := request.tools) else {})}
        key, signs = question_key(Example(0, 0, fields)), meaning_signs(question)
        fitting, folded = list[Example](), folded_text(question)
        for row, _ in self.examples(question):
            if len(fitting) == self.shots:
                break
            is_near = meaning_signs(row.prompt) == signs
            is_near = is_near and ratio(folded_text(row.prompt), folded) >= self.similarity
            is_of_group = bool(request.group) and row.group == request.group
            if not (is_near or is_of_group or key in history_keys(row)):
                fitting.append(row)
        return fitting[::-1]


def open_strategy(name: str, root: Path, config: Config, opens: Callable[[str], Model]) -> Strategy:
    """Open the strategy `[models.NAME]`; raises ModelUnknown naming what is wrong there."""
    try:
        table = parse_settings(StrategyTable, config.models[name])
        if table.of in config.strategies:
            raise ValueError(f"of = {table.of!r} is a strategy: name a model")
        inner = opens(table.of)
        if isinstance(inner, FileModel):
            raise ValueError(f"of = {table.of!r}: a file of answers reads no prompt")
        system = read_text(root / table.system, "system").strip() if table.system else ""
        identity = {"rule": RULE, "of": inner.digest, "system": system, "bm25s": ""}
        shots, examples, identity["shots"] = _shots(table, root, config)
        texts = identity["documents"] = _read_documents(table, root, config)
        if table.documents and not any(map(words_of, texts.values())):
            raise ValueError(f"documents = {[*table.documents]}: there is no word in them")
        passages = [(file, part) for file, text in texts.items() for part in passages_of(text)]
        rank = ranker(passages, "\n".join) if passages else no_items
        if passages or (table.pick == "nearest" and isinstance(table.shots, int)):
            identity |= {"bm25s": version("bm25s"), "top": table.top, "words": PASSAGE_WORDS}
        similarity, digest = float(config.limits.similarity), sha256_json(identity)
        return Strategy(name, inner, digest, system, shots, examples, table.top, rank, similarity)
    except (ValueError, ConfigError, MissingDependency, OSError) as error:
        raise ModelUnknown(f"[models.{name}] {os_error_text(error)}") from None


def _shots(table: StrategyTable, root: Path, config: Config) -> tuple[int, Ranker[Example], Any]:
    """Return the number of shots, ranker, identity; ValueError for a row of validation or test."""
    if (shots := table.shots) is None:
        return 0, no_items, None
    files = find_data_files(config, root, {}, root)
    if isinstance(shots, str):
        dataset = Dataset.read(root / shots, "shots", reading=config.reading)
        if faults := [p for p in dataset.problems if not p.hint]:
            raise ValueError(f"{shots}, line {faults[0].line}: {faults[0].evidence}")
        for split in [name for name in ("validation", "test") if name in files.paths]:
            for i, (j, *_) in comparison.rows_in_training(files.get(split), dataset).items():
                place = f"stands in {split}, line {files.get(split)[i].line}"
                raise ValueError(f"{shots}, line {dataset[j].line} {place}: no example may")
    else:
        dataset = files.get("train")
    rows = [e for e in dataset if len(e.given) < len(e.messages) and e.desirable is not False]
    if isinstance(shots, str) and not rows:
        raise ValueError(f"shots = {shots!r}: no row there has a reply that can be shown")
    identity = [dataset.identity, shots, table.pick, table.seed, float(config.limits.similarity)]
    identity += [config.label_rule.name, *config.data.group_by]
    if isinstance(shots, str):
        shots, rows = len(rows), rows[::-1]  # the best stand last: the file keeps its order
    elif table.pick == "nearest":
        return shots, ranker(rows, lambda row: row.prompt), identity
    else:
        rows = random.Random(table.seed).sample(rows, len(rows))
        if table.pick == "balanced":
            by_label = group_indices(rows, lambda e: e.label)
            turns = chain.from_iterable(zip_longest(*(by_label[k] for k in sorted(by_label))))
            rows = [rows[i] for i in turns if i is not None]
    order = [(row, 0.0) for row in rows]
    return shots, lambda _: order, identity


def _read_documents(table: StrategyTable, root: Path, config: Config) -> dict[str, str]:
    """Return the texts of the documents by path; raises ValueError, ConfigError."""
    texts: dict[str, str] = {}
    answers = {root / name for name in (config.data.validation, config.data.test) if name}
    for pattern in table.documents:
        found = map(Path, sorted(glob(str(root / pattern), recursive=True)))
        if not (paths := [path for path in found if path.is_file()]):
            raise ValueError(f"documents names {pattern!r}, and there is no such file")
        for path in (p for p in paths for a in answers if a.exists() and p.samefile(a)):
            raise ValueError(f"documents names {path.name}, which has the answers: no document may")
        texts |= {str(path.relative_to(root)): read_text(path, "documents") for path in paths}
    return texts


def passages_of(text: str) -> Iterator[str]:
    """Yield the passages of a document: paragraphs, or lines of long ones, up to 200 words."""
    passage: list[str] = []
    for paragraph in filter(str.strip, re.split(r"\n[^\S\n]*\n", text)):
        is_long = count_words(paragraph) > PASSAGE_WORDS
        for part in paragraph.splitlines() if is_long else [paragraph.strip()]:
            if passage and count_words(" ".join([*passage, part])) > PASSAGE_WORDS:
                yield "\n\n".join(passage)
                passage = []
            passage.append(part)
    if passage:
        yield "\n\n".join(passage)


def no_items(question: str) -> Sequence[Any]:
    """Rank nothing."""
    return ()


def ranker(items: Sequence[T], text_of: Callable[[T], str]) -> Ranker[T]:
    """Return what ranks items for a question by BM25, ties in order; raises MissingDependency.

    Words are compared without case and accents; each letter of a script without spaces is one.
    """
    bm25s = require("bm25s", "retrieval")
    import numpy as np

    logging.getLogger("bm25s").setLevel(logging.WARNING)

    def words(text: str) -> list[str]:
        return words_of(without_accents(folded_text(text)))

    index = bm25s.BM25()
    if has_words := any(corpus := [words(text_of(item)) for item in items]):
        index.index(corpus, show_progress=False)

    def rank(question: str) -> Sequence[tuple[T, float]]:
        asked = words(question)
        scores = index.get_scores(asked) if has_words and asked else np.zeros(len(items))
        return [(items[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")]

    return rank
