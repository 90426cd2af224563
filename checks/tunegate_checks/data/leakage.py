"""Leakage: what the model is tested on must not stand in what it was trained on."""

from __future__ import annotations

from collections.abc import Iterator

from tunegate.checking.decorator import check
from tunegate.checking.fingerprint import row_fingerprint
from tunegate.data.comparison import (
    comparison_texts,
    group_indices,
    non_text_parts,
    rows_in_training,
)
from tunegate.data.dataset import Dataset, Example
from tunegate.results.finding import Finding
from tunegate.similarity import ngrams, search
from tunegate.similarity.search import Closest

from ..text.display import diff, quote_line


@check(name="leakage")
def find(train: Dataset, test: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """No test example stands in the training data, exactly, nearly, or in a passage.

    One finding for each test example that does, naming the closest training line: "exact" (the same
    prompt but for case), "near" (prompts that reach the `similarity`, 0..1: `tunegate.similarity.search`,
    lower-cased), or "overlap" (texts of 50 words or more that share a run of 13; see
    `tunegate.similarity.ngrams`). Runs shared by the replies alone are hints: a desk says many things twice.
    Whatever stands in training by `prompts.standing`, for which a promotion is refused, is found:
    where white space keeps it from the `similarity`, as "exact".
    """
    reported: set[int] = set()  # places in `test`
    for i, j, ratio, others in _nearest_matches(train, test, similarity):
        reported.add(i)
        yield _leak_finding(train[j], test[i], ratio, others)
    for part, hint in ((_prompt_of, False), (_reply_of, True)):
        for i, j, ngram in ngrams.shared_ngrams([part(e) for e in test], [part(e) for e in train]):
            if i not in reported:
                reported.add(i)
                test_example, evidence = (
                    test[i],
                    f"train line {train[j].line} has: {quote_line(ngram)}",
                )
                about = f"{row_fingerprint(test_example)} {ngram}"
                yield Finding(test_example.row, test_example.line, "overlap", evidence, hint, about)


def _nearest_matches(train: Dataset, test: Dataset, similarity: float) -> Iterator[Closest]:
    same = rows_in_training(test, train)
    for closest in _near(train, test, similarity):
        same.pop(closest.i, None)
        yield closest
    yield from (Closest(i, places[0], 1.0, len(places) - 1) for i, places in same.items())


def _near(train: Dataset, test: Dataset, similarity: float) -> Iterator[Closest]:
    trained, tested = comparison_texts(train, test)
    before = group_indices(train, non_text_parts)
    for shown, rows in group_indices(test, non_text_parts).items():
        there = before.get(shown, [])
        left, right = [tested[i] for i in rows], [trained[j] for j in there]
        for i, j, found, others in search.nearest(left, right, similarity):
            yield Closest(rows[i], there[j], found, others)


def _prompt_of(example: Example) -> str:
    return example.prompt


def _reply_of(example: Example) -> str:
    return example.reply


def _leak_finding(train: Example, test: Example, similarity: float, others: int) -> Finding:
    kind = "exact" if similarity == 1 else "near"
    others_text = f", {others:,} more" if others else ""
    location = f"train line {train.line}, {similarity:.2f}{others_text}"
    evidence = f"{location}: {diff(test.prompt, train.prompt)}"
    about = f"{row_fingerprint(test)} {train.prompt.lower()}"
    return Finding(test.row, test.line, kind, evidence, about=about)
