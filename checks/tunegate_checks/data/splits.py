"""Splits: the validation set must have the right size, and the splits must look alike."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tunegate import Dataset, Example, Finding, check
from tunegate.data.comparison import comparison_texts, connected
from tunegate.data.splitting import rows_of_one_source
from tunegate.utils.text import word_pattern

MAX_CLASSES = 50  # more different labels are no classes
FOLDS = 5
MAX_SAMPLE = 2_000  # examples per split that the classifier looks at
READ_LETTERS = 1_000  # of each prompt


@check(name="splits.share")
def share(
    train: Dataset, validation: Dataset, *, low: float = 0.15, high: float = 0.20
) -> Iterator[Finding]:
    """Yield a finding where validation is not `low` to `high` of train and validation together.

    The bounds, 0..1, are included and rounded outwards to whole examples. The defaults are rules of
    thumb: of a large dataset a smaller share is enough.
    """
    n = len(train) + len(validation)
    min_count, max_count = math.floor(low * n + 1e-9), math.ceil(high * n - 1e-9)
    missing, surplus = min_count - len(validation), len(validation) - max_count
    if missing <= 0 and surplus <= 0:
        return
    move_text = f"{missing:,} from train to validation" if missing > 0 else f"{surplus:,} to train"
    count_text = f"validation has {len(validation):,} of {n:,} examples"
    part = f", {100 * len(validation) / n:.3g} %" if n else ""
    evidence = f"{count_text}{part}; {100 * low:g} to {100 * high:g} % is valid: move {move_text}"
    yield Finding.of_dataset("share", evidence if n else "both splits are empty")


@check(name="splits.drift")
def drift(
    train: Dataset, other: Dataset, *, psi_limit: float = 0.25, auc_limit: float | None = None
) -> Iterator[Finding]:
    """Yield each way in which a split differs from the training set: labels, lengths or words.

    Labels and prompt lengths are compared by their population stability index (PSI), words by the
    area under the ROC curve (AUC) of a classifier that tells the splits apart (0.5: it cannot) by
    the first 1,000 letters of their prompts.

    A PSI that chance does not explain is a finding above `psi_limit`, a hint above 0.1 (N. Siddiqi,
    Credit Risk Scorecards, 2006); a 95 % interval of the AUC above `auc_limit`, a hint above 0.6.
    """
    if not len(train) or not len(other):
        return
    # Rows of one source are one observation: what tells users or documents apart tells no splits.
    train_rows, other_rows = _sample(train), _sample(other)
    rows = [*train_rows, *other_rows]
    texts = [text[:READ_LETTERS] for text in comparison_texts(rows)[0]]
    sources = connected(len(rows), rows_of_one_source(rows, texts))
    source_of = {row: number for number, indices in enumerate(sources) for row in indices}
    numbers = [source_of[row] for row in range(len(rows))]
    sides = numbers[: len(train_rows)], numbers[len(train_rows) :]
    sizes = [
        min(len({*side}) * len(split) // len(side), len({e.group or e.row for e in split}))
        for side, split in zip(sides, (train, other), strict=True)
    ]
    expected, observed = (Counter(c for e in s for c in e.labels or [""]) for s in (train, other))
    if len(expected | observed) <= MAX_CLASSES:
        yield from shift_findings("labels", expected, observed, psi_limit, sizes)
    # Lengths are binned by the deciles of the training set's.
    ordered = sorted(len(e.prompt) for e in train)
    edges = sorted({ordered[len(ordered) * i // 10] for i in range(1, 10)})
    bins = [f"up to {edge} characters" for edge in edges] + [f"over {edges[-1]} characters"]
    lengths = ([bins[bisect_left(edges, len(e.prompt))] for e in s] for s in (train, other))
    expected, observed = map(Counter, lengths)
    yield from shift_findings("prompt lengths", expected, observed, psi_limit, sizes)
    sampled = f"on {len(other_rows):,} of {len(other):,} rows, and {len(train_rows):,} of train's"
    part = f", {sampled}" if max(len(train), len(other)) > MAX_SAMPLE else ""
    if min(len(train_rows), len(other_rows)) >= 20:
        yield from _word_findings(rows, sides, auc_limit, part)


def _word_findings(
    rows: Sequence[Example], sides: Sequence[Sequence[int]], auc_limit: float | None, part: str
) -> Iterator[Finding]:
    """Yield what a classifier of words says of `part`; `sides` has the groups. See `drift`."""
    train_groups, other_groups = (len({*groups}) for groups in sides)
    if (few := min(train_groups, other_groups)) < FOLDS:
        evidence = f"words were not compared: a split has {few} groups, and {FOLDS} are needed"
        yield Finding.dataset_hint("drift", evidence)
        return
    texts, n = [e.prompt[:READ_LETTERS] for e in rows], len(sides[0])
    is_grouped = train_groups + other_groups < len(rows)
    auc = classifier_auc(texts[:n], texts[n:], [*sides[0], *sides[1]] if is_grouped else None)
    half = 1.96 * auc_standard_error(auc, train_groups, other_groups)
    low, high = max(auc - half, 0.0), min(auc + half, 1.0)
    evidence = f"a classifier tells it from train: AUC {auc:.2f} ({low:.2f} to {high:.2f}{part})"
    if is_grouped:
        evidence += f"; {other_groups:,} groups are held to {train_groups:,} of train's, each whole"
    if auc_limit is not None and low > auc_limit:
        yield Finding.of_dataset("drift", f"{evidence}; at most {auc_limit:g} is allowed")
    elif low > 0.6:
        yield Finding.dataset_hint("drift", f"{evidence}; 0.5 is no difference")


def shift_findings(
    name: str, expected: Counter[Any], observed: Counter[Any], limit: float, sizes: Sequence[int]
) -> Iterator[Finding]:
    """Yield what a PSI says that chance does not explain: see `drift`."""
    if (index := psi(expected, observed)) <= max(0.1, psi_by_chance(expected, observed, sizes)):
        return
    p, q = ({b: c[b] / c.total() for b in expected | observed} for c in (expected, observed))
    largest = max(p, key=lambda b: abs(p[b] - q[b]))
    shares = f"{100 * p[largest]:.3g} % of train, {100 * q[largest]:.3g} % here"
    evidence = f"{name} differ from train's: PSI {index:.2f}; most of all {largest!r}: {shares}"
    yield Finding.of_dataset("drift", evidence, hint=index <= limit)


def psi(expected: Counter[Any], observed: Counter[Any]) -> float:
    """Return the population stability index: sum of (q - p) ln(q / p) over the bins.

    p and q are a bin's shares of expected and observed counts, each with half an example added.
    """
    bins = expected | observed
    p = {b: (expected[b] + 0.5) / (expected.total() + len(bins) / 2) for b in bins}
    q = {b: (observed[b] + 0.5) / (observed.total() + len(bins) / 2) for b in bins}
    return sum((q[b] - p[b]) * math.log(q[b] / p[b]) for b in bins)


def psi_by_chance(
    expected: Counter[Any], observed: Counter[Any], sizes: Sequence[int] = ()
) -> float:
    """Return the 99th percentile of the PSI of two samples of one population, of these sizes.

    `sizes` are the independent observations of each, where they are fewer than are counted. It is
    (1/n + 1/m) times the 99th percentile of chi-squared with bins - 1 degrees of freedom (B.
    Yurdakul, Statistical Properties of Population Stability Index, 2018).
    """
    from scipy.stats import chi2

    freedom = max(len(expected | observed) - 1, 1)
    n, m = sizes or (expected.total(), observed.total())
    return float((1 / n + 1 / m) * chi2.ppf(0.99, freedom))


def _sample(dataset: Dataset) -> list[Example]:
    """Return up to MAX_SAMPLE rows, at even distances, the same at each call."""
    step = max(len(dataset) / MAX_SAMPLE, 1.0)
    return [dataset[int(i * step)] for i in range(min(len(dataset), MAX_SAMPLE))]


def classifier_auc(
    first_texts: Sequence[str], second_texts: Sequence[str], groups: Sequence[int] | None = None
) -> float:
    """Return the cross-validated ROC AUC of a classifier that tells two lists of texts apart.

    The classifier is logistic regression on TF-IDF of words and word pairs, with five folds: each
    text is scored by a model that was not trained on it, nor on others of its group. A value below
    0.5 means the same as 0.5. Texts that have no word in common cannot be told apart: 0.5.
    """
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    truth = np.repeat([0, 1], [len(first_texts), len(second_texts)])
    words = CountVectorizer(ngram_range=(1, 2), token_pattern=rf"{word_pattern().pattern}|[^\w\s]")
    try:
        counts = words.fit_transform([*first_texts, *second_texts])
    except ValueError as error:
        if "empty vocabulary" in str(error):
            return 0.5
        raise
    kind, decisions = StratifiedGroupKFold if groups else StratifiedKFold, np.zeros(len(truth))
    for trained, held_out in kind(FOLDS, shuffle=True, random_state=0).split(counts, truth, groups):
        # Counted once: of a fold, the terms are those of two texts or more that it is trained on.
        if not len(terms := np.flatnonzero(counts[trained].getnnz(axis=0) >= 2)):
            return 0.5
        tfidf = TfidfTransformer().fit(counts[trained][:, terms])
        known, unknown = (tfidf.transform(counts[rows][:, terms]) for rows in (trained, held_out))
        model = LogisticRegression(class_weight="balanced", solver="liblinear")
        decisions[held_out] = model.fit(known, truth[trained]).decision_function(unknown)
    return float(roc_auc_score(truth, decisions))


def auc_standard_error(area: float, n: int, m: int) -> float:
    """Return the standard error of an AUC: Hanley & McNeil (1982), Radiology 143:29-36."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)
    return math.sqrt(max(spread, 0.0) / (n * m))
