"""Labels: the same question must not have two answers, and an answer should fit its question.

For classification and other short answers. Where replies are prose nothing is found: two ways to
say a thing do not contradict each other.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tunegate import similar
from tunegate.checking import check
from tunegate.dataset import Dataset, Example
from tunegate.findings import Finding
from tunegate.identity import together
from tunegate.prompts import classes, compared, is_label, pictures, places_by

from .wording import difference, line, normalised

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

DOUBT = 0.1  # banking77 with 2 % of labels swapped: precision 0.45 -> 0.64, recall 0.69 -> 0.67

MOST = 50_000  # rows: near-duplicates among them take a minute; the time grows with the square


@check(name="labels.contradictions")
def contradictions(dataset: Dataset, *, similarity: float = 0.95) -> Iterator[Finding]:
    """No prompt stands twice with different labels.

    "contradiction": prompts that are the same but for case, accents, white space and punctuation;
    one finding for each row whose label is not that of the most rows with its prompt (of a tie,
    the first). "near contradiction", a hint since one word may well make the difference: prompts of
    at least this similarity, 0..1 (`tunegate.similar`, lower-cased).
    """
    labelled = [e for e in dataset if is_label(e.reply)]
    told: set[int] = set()
    for places in places_by(labelled, _question).values():
        for finding in _outvoted([labelled[k] for k in places]):
            told.add(finding.row or 0)
            yield finding
    yield from _nearly([e for e in labelled if e.row not in told], similarity)


def _question(example: Example) -> tuple[str, str]:
    return normalised(example.prompt), pictures(example)


def _label(example: Example) -> str:
    return normalised(example.reply)


def _outvoted(examples: Sequence[Example]) -> Iterator[Finding]:
    votes = Counter(map(_label, examples))
    winner = votes.most_common(1)[0][0]
    first = next(e for e in examples if _label(e) == winner)
    about = together(examples) if len(votes) > 1 else ""
    for example in examples:
        if _label(example) != winner:
            evidence = f"{_both(example, first)}: {line(example.prompt)}"
            yield Finding(example.row, example.line, "contradiction", evidence, about=about)


def _both(this: Example, other: Example) -> str:
    return f"{line(this.label, 24)}, but {line(other.label, 24)} on line {other.line}"


def _nearly(examples: Sequence[Example], similarity: float) -> Iterator[Finding]:
    # One row for each prompt: those that still share one have one label.
    single = [examples[places[0]] for places in places_by(examples, _question).values()]
    told: set[int] = set()
    for i, j, _ in similar.pairs(compared(single)[0], similarity):
        first, this = sorted((single[i], single[j]), key=lambda e: e.row)
        same = _label(this) == _label(first) or pictures(this) != pictures(first)
        if not same and this.row not in told:
            told.add(this.row)
            evidence = f"{_both(this, first)}: {difference(this.prompt, first.prompt)}"
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
    rows = _sample(dataset, seed)
    counts = classes(rows)
    examples = [e for e in rows if counts[e.label] >= folds]
    names = sorted({e.label for e in examples})
    if len(names) < 2:
        return
    if len(rows) < len(dataset):
        evidence = f"looked at {len(rows):,} of the {len(dataset):,} rows, drawn at random"
        yield Finding(None, None, "label", evidence, hint=True)
    given = [names.index(e.label) for e in examples]
    texts = compared(examples)[0]
    families = _families(texts)
    if (n := len({*families})) < folds:
        evidence = f"not judged: all rows are near-duplicates of {n:,}; {folds} are needed"
        yield Finding(None, None, "label", evidence, hint=True)
        return
    probabilities = _out_of_fold(texts, given, families, folds, seed)
    for place, other in _confident(probabilities, given):
        example, odds = examples[place], probabilities[place]
        said, read = line(example.label, 24), line(names[other], 24)
        sure = f"{odds[other]:.2f} against {odds[given[place]]:.2f}"
        evidence = f"{said} reads like {read} ({sure}): {line(example.prompt)}"
        yield Finding(example.row, example.line, "label", evidence, hint=True)


def _sample(dataset: Dataset, seed: int) -> Sequence[Example]:
    if len(dataset) <= MOST:
        return dataset
    return [dataset[k] for k in sorted(random.Random(seed).sample(range(len(dataset)), MOST))]


def _out_of_fold(
    texts: Sequence[str], given: Sequence[int], families: Sequence[int], folds: int, seed: int
) -> Array:
    """Return each row's probability of each class, from a model that has not seen the row."""
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    labels, counts = np.asarray(given), _counted(texts)
    odds: Array = np.zeros((len(texts), labels.max() + 1))
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for seen, unseen in parts.split(texts, labels, groups=families):
        known = counts[seen].getnnz(axis=0) > 0  # what the model never saw counts for nothing
        model = _model(seed).fit(counts[seen][:, known], labels[seen])
        # A class whose rows all look alike is in one fold only: nobody is taken for it there.
        odds[np.ix_(unseen, model.classes_)] = model.predict_proba(counts[unseen][:, known])
    return odds


def _families(texts: Sequence[str]) -> list[int]:
    families = list(range(len(texts)))
    for group in similar.groups(texts, 0.85):
        for place in group:
            families[place] = group[0]
    return families


def _counted(texts: Sequence[str]) -> Any:
    """Return the words and pairs of words of each text, counted once for all folds."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w+").fit_transform(texts)


def _model(seed: int) -> Any:
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline

    # As good here as an exact solver, and five times as fast with 77 classes.
    regression = SGDClassifier(
        loss="log_loss", alpha=1e-5, max_iter=10, tol=None, random_state=seed
    )
    return make_pipeline(TfidfTransformer(sublinear_tf=True), regression)


def _confident(odds: Array, given: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (place, class) off the diagonal of the confident joint, where the label is in doubt."""
    import numpy as np

    labels = np.asarray(given)
    usual = np.array([odds[labels == k, k].mean() for k in range(odds.shape[1])])
    confident = np.where(odds >= usual, odds, 0.0)
    best = confident.argmax(axis=1)
    own = odds[np.arange(len(labels)), labels]
    off = (confident.max(axis=1) > 0) & (best != labels) & (own < DOUBT * usual[labels])
    yield from ((int(k), int(best[k])) for k in np.flatnonzero(off))
