"""Leakage: no test example may repeat a training example."""

from collections.abc import Iterator, Sequence

from tunegate import Dataset, Finding, check
from tunegate.checking.decorator import row_fingerprint
from tunegate.data import comparison
from tunegate.similarity import nearest, ngrams
from tunegate.similarity.long_texts import ratio, screening_note

from ..text.display import diff, quote_line


@check(name="leakage")
def find(train: Dataset, test: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """Yield each test example that repeats a training example: exactly, nearly, or in a passage.

    There is one finding for each such test example, which names the closest training line. "exact":
    the prompts are equal texts but for case, or the row stands in training by
    `tunegate.data.comparison.rows_in_training`, the rule by which a promotion is refused: also what
    a training conversation begins with. "near": the prompts reach the similarity, or differ in the
    punctuation around words alone. "overlap": texts of 50 words or more share 13 consecutive words
    (`tunegate.similarity.ngrams`), templates aside; between replies this is a hint, since many
    correct replies contain the same passage. "group": training has rows of the same group
    (`data.group_by`). `similarity`: 0..1, for `tunegate.similarity.ratio` of caseless prompts.
    """
    if not len(test):  # such as a general set that the project does not have
        return
    texts = comparison.comparison_texts(test, train)
    name = train.split or "train"  # the validation set, where the test set is held to it
    if note := screening_note(*texts):
        yield Finding.dataset_hint("long texts", f"held to {name}: {note}")
    for i, j, similar, others in (closest := _closest_rows(train, test, texts, similarity)):
        kind = "exact" if similar == 1 else "near"
        others_text = f", {others:,} more" if others else ""
        alike = f"{similar:.2f}" if similar >= similarity else "the same but for punctuation"
        location = f"{name} line {train[j].line}, {alike}{others_text}"
        evidence = f"{location}: {diff(test[i].prompt, train[j].prompt)}"
        fingerprint = f"{row_fingerprint(test[i])} {train[j].prompt.lower()}"
        yield test[i].finding(kind, evidence, fingerprint=fingerprint)
    leaks = {row[0] for row in closest}
    reported = {*leaks}  # also the rows with a hint
    prompts = texts[0], texts[1], False
    replies = [e.reply for e in test], [e.reply for e in train], True
    for test_texts, train_texts, hint in (prompts, replies):
        for i, j, ngram in ngrams.shared_ngrams(test_texts, train_texts):
            if i not in reported:
                reported.add(i)
                leaks |= set() if hint else {i}
                evidence = f"{name} line {train[j].line} has: {quote_line(ngram)}"
                fingerprint = f"{row_fingerprint(test[i])} {ngram}"
                yield test[i].finding("overlap", evidence, hint=hint, fingerprint=fingerprint)
    train_groups = comparison.group_indices(train, lambda e: e.group)
    for i, example in enumerate(test):
        if example.group and i not in leaks and (rows := train_groups.get(example.group)):
            names = " or ".join(test.reading.group_by)
            others_text = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
            evidence = f"{name} line {train[rows[0]].line}{others_text} of the same {names}"
            fingerprint = f"{row_fingerprint(example)} {example.group}"
            yield example.finding("group", evidence, fingerprint=fingerprint)


def _closest_rows(
    train: Dataset, test: Dataset, texts: Sequence[Sequence[str]], similarity: float
) -> list[tuple[int, int, float, int]]:
    """Return (test index, train index, similarity, others as near), by `comparison_texts`."""
    test_texts, train_texts = texts
    # A row that stands inside a conversation of training is in no search.
    equal_rows = comparison.rows_in_training(test, train).items()
    closest = {i: (rows[0], 1.0, len(rows) - 1) for i, rows in equal_rows}
    ask_alike = comparison.question_comparer([*test_texts, *train_texts], similarity)
    for indices in comparison.near_scopes([*test, *train]):
        test_rows = [i for i in indices if i < len(test)]
        train_rows = [i - len(test) for i in indices[len(test_rows) :]]
        left, right = [test_texts[i] for i in test_rows], [train_texts[j] for j in train_rows]

        def condition(i: int, j: int, both: list[int] = indices, n: int = len(test_rows)) -> bool:
            return ask_alike(both[i], both[n + j])

        for i, j, similar, others in nearest(left, right, similarity, condition=condition):
            row, found = test_rows[i], (train_rows[j], similar, others)
            if similar == 1 or row not in closest or closest[row][1] < similar:
                closest[row] = found
        # Of short texts the punctuation around words can be more than the similarity allows.
        folded = comparison.group_indices(right, comparison.bare_text)
        for i, text in zip(test_rows, left, strict=True):
            if i not in closest and (alike := folded.get(comparison.bare_text(text))):
                similar = ratio(text, right[alike[0]])
                closest[i] = (train_rows[alike[0]], similar, len(alike) - 1)
    return [(i, *found) for i, found in closest.items()]
