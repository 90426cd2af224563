"""Leakage: no test example may repeat a training example."""

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
from tunegate.data.dataset import Dataset
from tunegate.results.finding import Finding
from tunegate.similarity import nearest, ngrams

from ..text.display import diff, quote_line


@check(name="leakage")
def find(train: Dataset, test: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """Yield each test example that repeats a training example: exactly, nearly, or in a passage.

    There is one finding for each such test example, which names the closest training line. "exact":
    the prompts are equal when lower-cased, or the row stands in training by
    `tunegate.data.comparison.rows_in_training`, the rule by which a promotion is refused. "near":
    the prompts reach the similarity. "overlap": texts of 50 words or more share 13 consecutive
    words (`tunegate.similarity.ngrams`); between replies this is a hint, since many correct replies
    contain the same passage.

    Args:
        train: The training set.
        test: The split that must not repeat it.
        similarity: `tunegate.similarity.ratio` of lower-cased prompts, 0..1.
    """
    train_texts, test_texts = comparison_texts(train, test)
    train_by_parts = group_indices(train, non_text_parts)
    equal_rows = rows_in_training(test, train)
    closest: list[tuple[int, int, float, int]] = []  # as `nearest` yields them
    # Only rows with the same pictures, sound and files are compared.
    for parts, test_rows in group_indices(test, non_text_parts).items():
        train_rows = train_by_parts.get(parts, [])
        left, right = [test_texts[i] for i in test_rows], [train_texts[j] for j in train_rows]
        for i, j, ratio, others in nearest(left, right, similarity):
            equal_rows.pop(test_rows[i], None)
            closest.append((test_rows[i], train_rows[j], ratio, others))
    # Equal rows that the search did not find, since their white space differs.
    closest += ((i, rows[0], 1.0, len(rows) - 1) for i, rows in equal_rows.items())
    for i, j, ratio, others in closest:
        kind = "exact" if ratio == 1 else "near"
        others_text = f", {others:,} more" if others else ""
        location = f"train line {train[j].line}, {ratio:.2f}{others_text}"
        evidence = f"{location}: {diff(test[i].prompt, train[j].prompt)}"
        fingerprint = f"{row_fingerprint(test[i])} {train[j].prompt.lower()}"
        yield test[i].finding(kind, evidence, fingerprint=fingerprint)
    reported = {row[0] for row in closest}
    prompts = [e.prompt for e in test], [e.prompt for e in train], False
    replies = [e.reply for e in test], [e.reply for e in train], True
    for test_texts, train_texts, hint in (prompts, replies):
        for i, j, ngram in ngrams.shared_ngrams(test_texts, train_texts):
            if i not in reported:
                reported.add(i)
                evidence = f"train line {train[j].line} has: {quote_line(ngram)}"
                fingerprint = f"{row_fingerprint(test[i])} {ngram}"
                yield test[i].finding("overlap", evidence, hint=hint, fingerprint=fingerprint)
