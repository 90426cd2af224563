"""Splits: is the validation set of the right size, and do the splits look alike?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tunegate.checking.decorator import check
from tunegate.data.dataset import Dataset
from tunegate.results.finding import Finding

MAX_CLASSES = 50  # more different replies than this are no classes
MAX_SAMPLE = 2_000  # examples per split that the classifier looks at


@check(name="splits.share")
def share(
    train: Dataset, validation: Dataset, *, low: float = 0.15, high: float = 0.20
) -> Iterator[Finding]:
    """Validation is `low` to `high` of train and validation together, bounds included.

    Counts are whole, so a share that is off by less than one example is not off. The bounds are
    working values of the trade: a large set does with less.
    """
    n = len(train) + len(validation)
    min_count, max_count = math.floor(low * n + 1e-9), math.ceil(high * n - 1e-9)
    missing = min_count - len(validation)
    surplus = len(validation) - max_count
    if missing <= 0 and surplus <= 0:
        return
    move_text = f"{missing:,} from train to validation" if missing > 0 else f"{surplus:,} to train"
    count_text = f"validation has {len(validation):,} of {n:,} examples"
    part = f", {100 * len(validation) / n:.3g} %" if n else ""
    evidence = f"{count_text}{part}; {100 * low:g} to {100 * high:g} % is valid: move {move_text}"
    yield Finding(None, None, "share", evidence if n else "both splits are empty")


@check(name="splits.drift")
def drift(
    train: Dataset, other: Dataset, *, psi_limit: float = 0.25, auc_limit: float | None = None
) -> Iterator[Finding]:
    """The other split looks like the training set: in its labels, its lengths and its words.

    Labels and lengths: population stability index, above `psi_limit` a finding, above 0.1 a hint
    (N. Siddiqi, Credit Risk Scorecards, 2006), where chance alone would not explain it. Words: the
    area under the curve of a classifier that tells the splits apart, 0.5 where it cannot; a hint,
    or a finding when its 95 % interval lies above `auc_limit`.
    """
    if not len(train) or not len(other):
        return
    expected, observed = (Counter(e.label for e in d) for d in (train, other))
    if len(expected | observed) <= MAX_CLASSES:
        yield from _shift_findings("labels", expected, observed, psi_limit)
    train_lengths, other_lengths = _bin_by_deciles(
        [len(e.prompt) for e in train], [len(e.prompt) for e in other]
    )
    yield from _shift_findings("prompt lengths", train_lengths, other_lengths, psi_limit)
    yield from _classifier_findings(train, other, auc_limit)


def _shift_findings(
    name: str, expected: Counter[Any], observed: Counter[Any], limit: float
) -> Iterator[Finding]:
    index = psi(expected, observed)
    if index <= max(0.1, _chance_level(expected, observed)):
        return
    largest = max(
        expected | observed, key=lambda b: abs(_share_of(expected, b) - _share_of(observed, b))
    )
    shares_text = f"{100 * _share_of(expected, largest):.3g} % of train, {100 * _share_of(observed, largest):.3g} % here"
    evidence = (
        f"{name} differ from train's: PSI {index:.2f}; most of all {largest!r}: {shares_text}"
    )
    yield Finding(None, None, "drift", evidence, hint=index <= limit)


def _share_of(counts: Counter[Any], item: Any) -> float:
    return counts[item] / counts.total()


def psi(expected: Counter[Any], observed: Counter[Any]) -> float:
    """Return the population stability index: sum of (q - p) ln(q / p) over the bins.

    Each bin counts half an example more than it has, so that an empty one stays finite.
    """
    bins = expected | observed
    p = {b: (expected[b] + 0.5) / (expected.total() + len(bins) / 2) for b in bins}
    q = {b: (observed[b] + 0.5) / (observed.total() + len(bins) / 2) for b in bins}
    return sum((q[b] - p[b]) * math.log(q[b] / p[b]) for b in bins)


def _chance_level(expected: Counter[Any], observed: Counter[Any]) -> float:
    """Return the PSI that two samples of one population stay below, 99 times in 100.

    It is (1/n + 1/m) times chi-squared with one degree of freedom less than there are bins (B.
    Yurdakul, Statistical Properties of Population Stability Index, 2018): small splits differ.
    """
    from scipy.stats import chi2

    freedom = max(len(expected | observed) - 1, 1)
    return float((1 / expected.total() + 1 / observed.total()) * chi2.ppf(0.99, freedom))


def _bin_by_deciles(
    train: Sequence[int], other: Sequence[int]
) -> tuple[Counter[str], Counter[str]]:
    """Count lengths by the deciles of the training set's."""
    from bisect import bisect_left

    ordered = sorted(train)
    edges = sorted({ordered[len(ordered) * i // 10] for i in range(1, 10)})
    names = [f"up to {edge} characters" for edge in edges] + [f"over {edges[-1]} characters"]
    return (
        Counter(names[bisect_left(edges, x)] for x in train),
        Counter(names[bisect_left(edges, x)] for x in other),
    )


def _classifier_findings(train: Dataset, other: Dataset, limit: float | None) -> Iterator[Finding]:
    train_texts, other_texts = _sample_prompts(train), _sample_prompts(other)
    if min(len(train_texts), len(other_texts)) < 20:
        return
    area = classifier_auc(train_texts, other_texts)
    half = 1.96 * _auc_standard_error(area, len(train_texts), len(other_texts))
    low, high = max(area - half, 0.0), min(area + half, 1.0)
    sizes = f"on {len(other_texts):,} of {len(other):,} rows, and {len(train_texts):,} of train's"
    part = f", {sizes}" if max(len(train), len(other)) > MAX_SAMPLE else ""
    evidence = f"a classifier tells it from train: AUC {area:.2f} ({low:.2f} to {high:.2f}{part})"
    if limit is not None and low > limit:
        yield Finding(None, None, "drift", f"{evidence}; at most {limit:g} is allowed")
    elif low > 0.6:
        yield Finding(None, None, "drift", f"{evidence}; 0.5 is no difference", hint=True)


def _sample_prompts(dataset: Dataset) -> list[str]:
    """Return up to 2,000 prompts, evenly spread, the same each time."""
    step = max(len(dataset) / MAX_SAMPLE, 1.0)
    return [dataset[int(i * step)].prompt for i in range(min(len(dataset), MAX_SAMPLE))]


def classifier_auc(first_texts: Sequence[str], second_texts: Sequence[str]) -> float:
    """Return the cross-validated area under the curve of a classifier of the two, by their words.

    Each text is judged by a model that did not see it (five folds, logistic regression on tf-idf of
    words and pairs of words). Below 0.5 is chance, and can be read as 0.5.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    truth = [0] * len(first_texts) + [1] * len(second_texts)
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), min_df=2, token_pattern=r"\w+|[^\w\s]")
    model = make_pipeline(
        vectoriser, LogisticRegression(class_weight="balanced", solver="liblinear")
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    decisions = cross_val_predict(
        model, [*first_texts, *second_texts], truth, cv=folds, method="decision_function"
    )
    return float(roc_auc_score(truth, decisions))


def _auc_standard_error(area: float, n: int, m: int) -> float:
    """Return the standard error of an AUC: Hanley and McNeil (1982), Radiology 143:29-36."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)
    return math.sqrt(max(spread, 0.0) / (n * m))
