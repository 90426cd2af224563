"""Labels: the same question must not have two answers, and an answer should fit its question.

For classification and other short answers. Where replies are prose nothing is found: two ways to
say a thing do not contradict each other.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tunegate.checking.decorator import check
from tunegate.checking.fingerprint import rows_fingerprint
from tunegate.data.comparison import (
    comparison_texts,
    group_indices,
    is_label,
    label_counts,
    non_text_parts,
)
from tunegate.data.dataset import Dataset, Example
from tunegate.results.finding import Finding
from tunegate.similarity import search

from ..text.display import diff, normalise, quote_line

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

MAX_OWN_PROBABILITY = (
    0.1  # banking77 with 2 % of labels swapped: precision 0.45 -> 0.64, recall 0.69 -> 0.67
)

MAX_ROWS = 50_000  # rows: near-duplicates among them take a minute; the time grows with the square


@check(name="labels.contradictions")
def contradictions(dataset: Dataset, *, similarity: float = 0.95) -> Iterator[Finding]:
    """No prompt stands twice with different labels.

    "contradiction": prompts that are the same but for case, accents, white space and punctuation;
    one finding for each row whose label is not that of the most rows with its prompt (of a tie,
    the first). "near contradiction", a hint since one word may well make the difference: prompts of
    at least this similarity, 0..1 (`tunegate.similarity.search`, lower-cased).
    """
    labelled = [e for e in dataset if is_label(e.reply)]
    reported: set[int] = set()
    for indices in group_indices(labelled, _question_key).values():
        for finding in _minority_findings([labelled[k] for k in indices]):
            reported.add(finding.row or 0)
            yield finding
    yield from _near_contradictions([e for e in labelled if e.row not in reported], similarity)


def _question_key(example: Example) -> tuple[str, str]:
    return normalise(example.prompt), non_text_parts(example)


def _label_key(example: Example) -> str:
    return normalise(example.reply)


def _minority_findings(examples: Sequence[Example]) -> Iterator[Finding]:
    votes = Counter(map(_label_key, examples))
    winner = votes.most_common(1)[0][0]
    first = next(e for e in examples if _label_key(e) == winner)
    about = rows_fingerprint(examples) if len(votes) > 1 else ""
    for example in examples:
        if _label_key(example) != winner:
            evidence = f"{_two_labels_text(example, first)}: {quote_line(example.prompt)}"
            yield Finding(example.row, example.line, "contradiction", evidence, about=about)


def _two_labels_text(this: Example, other: Example) -> str:
    return f"{quote_line(this.label, 24)}, but {quote_line(other.label, 24)} on line {other.line}"


def _near_contradictions(examples: Sequence[Example], similarity: float) -> Iterator[Finding]:
    # One row for each prompt: those that still share one have one label.
    unique = [examples[indices[0]] for indices in group_indices(examples, _question_key).values()]
    reported: set[int] = set()
    for i, j, _ in search.pairs(comparison_texts(unique)[0], similarity):
        first, this = sorted((unique[i], unique[j]), key=lambda e: e.row)
        same = _label_key(this) == _label_key(first) or non_text_parts(this) != non_text_parts(
            first
        )
        if not same and this.row not in reported:
            reported.add(this.row)
            evidence = f"{_two_labels_text(this, first)}: {diff(this.prompt, first.prompt)}"
            yield Finding(this.row, this.line, "near contradiction", evidence, hint=True)


@check(name="labels.errors")
def errors(dataset: Dataset, *, folds: int = 5, seed: int = 0) -> Iterator[Finding]:
    """Hint at labels that a plain model, not having seen the row, confidently takes for others.

    Confident learning (C. Northcutt, L. Jiang, I. Chuang 2021, *Confident Learning: Estimating
    Uncertainty in Dataset Labels*, JAIR 70:1373-1411): a row counts as another class where its
    out-of-fold probability of that class is at least the mean of the rows that carry the label, and
    of its own label at most a tenth of that label's mean. The model is logistic regression on
    TF-IDF of words and pairs of words; near-duplicates stay in one fold. Labels with fewer rows
    than `folds` are not judged. Of more than 50,000 rows a random sample of 50,000 is looked at,
    and a hint says so. Hints only: it closes no gate.
    """
    rows = _sample_rows(dataset, seed)
    counts = label_counts(rows)
    examples = [e for e in rows if counts[e.label] >= folds]
    names = sorted({e.label for e in examples})
    if len(names) < 2:
        return
    if len(rows) < len(dataset):
        evidence = f"looked at {len(rows):,} of the {len(dataset):,} rows, drawn at random"
        yield Finding(None, None, "label", evidence, hint=True)
    label_indices = [names.index(e.label) for e in examples]
    texts = comparison_texts(examples)[0]
    families = _near_duplicate_groups(texts)
    if (n := len({*families})) < folds:
        evidence = f"not judged: all rows are near-duplicates of {n:,}; {folds} are needed"
        yield Finding(None, None, "label", evidence, hint=True)
        return
    probabilities = _out_of_fold_probabilities(texts, label_indices, families, folds, seed)
    for index, other in _confident_errors(probabilities, label_indices):
        example, row_probabilities = examples[index], probabilities[index]
        own_label, predicted_label = quote_line(example.label, 24), quote_line(names[other], 24)
        probability_text = (
            f"{row_probabilities[other]:.2f} against {row_probabilities[label_indices[index]]:.2f}"
        )
        evidence = f"{own_label} reads like {predicted_label} ({probability_text}): {quote_line(example.prompt)}"
        yield Finding(example.row, example.line, "label", evidence, hint=True)


def _sample_rows(dataset: Dataset, seed: int) -> Sequence[Example]:
    if len(dataset) <= MAX_ROWS:
        return dataset
    return [dataset[k] for k in sorted(random.Random(seed).sample(range(len(dataset)), MAX_ROWS))]


def _out_of_fold_probabilities(
    texts: Sequence[str],
    label_indices: Sequence[int],
    families: Sequence[int],
    folds: int,
    seed: int,
) -> Array:
    """Return each row's probability of each class, from a model that has not seen the row."""
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    labels, counts = np.asarray(label_indices), _word_counts(texts)
    probabilities: Array = np.zeros((len(texts), labels.max() + 1))
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for seen, unseen in parts.split(texts, labels, groups=families):
        seen_columns = (
            counts[seen].getnnz(axis=0) > 0
        )  # what the model never saw counts for nothing
        model = _make_classifier(seed).fit(counts[seen][:, seen_columns], labels[seen])
        # A class whose rows all look alike is in one fold only: nobody is taken for it there.
        probabilities[np.ix_(unseen, model.classes_)] = model.predict_proba(
            counts[unseen][:, seen_columns]
        )
    return probabilities


def _near_duplicate_groups(texts: Sequence[str]) -> list[int]:
    families = list(range(len(texts)))
    for group in search.connected_groups(texts, 0.85):
        for place in group:
            families[place] = group[0]
    return families


def _word_counts(texts: Sequence[str]) -> Any:
    """Return the words and pairs of words of each text, counted once for all folds."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w+").fit_transform(texts)


def _make_classifier(seed: int) -> Any:
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline

    # As good here as an exact solver, and five times as fast with 77 classes.
    regression = SGDClassifier(
        loss="log_loss", alpha=1e-5, max_iter=10, tol=None, random_state=seed
    )
    return make_pipeline(TfidfTransformer(sublinear_tf=True), regression)


def _confident_errors(
    probabilities: Array, label_indices: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield (place, class) off the diagonal of the confident joint, where the label is in doubt."""
    import numpy as np

    labels = np.asarray(label_indices)
    mean_probability = np.array(
        [probabilities[labels == k, k].mean() for k in range(probabilities.shape[1])]
    )
    confident = np.where(probabilities >= mean_probability, probabilities, 0.0)
    best = confident.argmax(axis=1)
    own_probability = probabilities[np.arange(len(labels)), labels]
    is_doubtful = (
        (confident.max(axis=1) > 0)
        & (best != labels)
        & (own_probability < MAX_OWN_PROBABILITY * mean_probability[labels])
    )
    yield from ((int(k), int(best[k])) for k in np.flatnonzero(is_doubtful))
