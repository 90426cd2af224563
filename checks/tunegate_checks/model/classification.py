"""Classification: is the answer the label? Accuracy, macro-F1, confusion, gain over a baseline."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunegate.findings import Finding, Findings
from tunegate.predictions import Prediction, Predictions
from tunegate.score import Score, proportion

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SIGNATURE = "label: the whole answer, white space around it aside"
OTHER = "(no label)"  # an answer that is not one of the labels
BOOTSTRAPS = 1_000


def accuracy(predictions: Predictions) -> Score:
    """Return the share of answers that are the expected label, with Wilson's 95 % interval."""
    right = sum(p.right for p in predictions)
    return proportion(
        "accuracy", right, len(predictions),
        misses=misses(predictions), errors=len(predictions.errors), signature=SIGNATURE,
    )  # fmt: skip


def misses(predictions: Predictions) -> Findings:
    """Return every answer that is not the expected label; those without an answer say why."""
    found = (_miss(p) for p in predictions if not p.right)
    return Findings("misses", found, split="test", n=len(predictions))


def _miss(p: Prediction) -> Finding:
    if p.error:
        return Finding(p.row, p.line, "no answer", p.error)
    got, prompt = _short(p.got, 30), _short(p.prompt, 60)
    return Finding(p.row, p.line, p.expected.strip(), f"got {got!r} for: {prompt}")


def _short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


def confusion(predictions: Predictions) -> pd.DataFrame:
    """Return counts: a row per expected label, a column per answer; answers that are no label last.

    Predictions without an answer are not in it.
    """
    import pandas as pd

    labels = sorted({p.expected.strip() for p in predictions})
    answered = [p for p in predictions if not p.error]
    pairs = Counter((p.expected.strip(), _label(p, labels)) for p in answered)
    columns = [*labels, OTHER] if any(got == OTHER for _, got in pairs) else labels
    cells = [[pairs[expected, got] for got in columns] for expected in labels]
    index = pd.Index(labels, name="expected")
    return pd.DataFrame(cells, index=index, columns=pd.Index(columns, name="got"))


def _label(p: Prediction, labels: Sequence[str]) -> str:
    got = p.got.strip()
    return got if got in labels else OTHER


def macro_f1(predictions: Predictions) -> Score:
    """Return the mean of the classes' F1, each class counting the same.

    F1 = 2 TP / (2 TP + FP + FN), 0 for a class never answered. The interval is a percentile
    bootstrap over examples (1,000 resamples of the confusion matrix, seed 0): Efron & Tibshirani,
    An Introduction to the Bootstrap, 1993, chapter 13.
    """
    import numpy as np

    classes = sorted({p.expected.strip() for p in predictions})
    worst, best = (_cells(predictions, classes, errors_right=right) for right in (False, True))
    n = len(predictions)
    if not n:
        return Score(math.nan, name="macro-F1")
    draws = np.random.default_rng(0).multinomial(n, worst.ravel() / n, size=BOOTSTRAPS)
    resampled = [_mean_f1(draw.reshape(worst.shape)) for draw in draws]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Score(
        _mean_f1(worst), name="macro-F1", n=n, low=float(low), high=float(high),
        errors=len(predictions.errors), if_right=_mean_f1(best), signature=SIGNATURE,
        misses=misses(predictions), detail=confusion(predictions).to_string(),
    )  # fmt: skip


def _cells(
    predictions: Predictions, classes: Sequence[str], *, errors_right: bool
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return the confusion matrix as classes x (classes + 1); the last column is no label."""
    import numpy as np

    place = {label: i for i, label in enumerate(classes)}
    cells = np.zeros((len(classes), len(classes) + 1), dtype=np.int64)
    for p in predictions:
        expected = place[p.expected.strip()]
        missing = expected if errors_right else len(classes)
        cells[expected, missing if p.error else place.get(p.got.strip(), len(classes))] += 1
    return cells


def _mean_f1(cells: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> float:
    true = cells.diagonal()
    expected, answered = cells.sum(axis=1), cells[:, :-1].sum(axis=0)
    # A class that a resample lost altogether counts 0, as scikit-learn's zero_division=0 does.
    f1 = 2 * true / (expected + answered).clip(min=1)
    return float(f1.mean())


def improvement(predictions: Predictions, baseline: Predictions) -> Score:
    """Return accuracy less the baseline's on the same examples, between -1 and 1.

    Paired: the interval is Bonett & Price's for paired proportions (J. Educ. Behav. Stat. 37,
    2012), and the signature gives the exact McNemar p-value of the flips. Of errors the value
    assumes the worst: the candidate's wrong, the baseline's right.
    """
    before = {p.row: p for p in baseline}
    pairs = [(p, before[p.row]) for p in predictions if p.row in before]
    n = len(pairs)
    gained, lost = _flips(pairs, pessimistic=True)
    low, high = _paired_interval(gained, lost, n)
    up, down = _flips(pairs, pessimistic=False)
    was = sum(old.right for _, old in pairs)
    return Score(
        (gained - lost) / n if n else math.nan, name="improvement", n=n, low=low, high=high,
        errors=sum(bool(new.error or old.error) for new, old in pairs),
        if_right=(up - down) / n if n else math.nan,
        signature=f"baseline {was} of {n}; {gained} gained, {lost} lost; {_mcnemar(gained, lost)}",
    )  # fmt: skip


def _flips(pairs: Sequence[tuple[Prediction, Prediction]], *, pessimistic: bool) -> tuple[int, int]:
    """Count the examples that only the candidate, and that only the baseline, got right."""
    now = [new.right or (bool(new.error) and not pessimistic) for new, _ in pairs]
    then = [old.right or (bool(old.error) and pessimistic) for _, old in pairs]
    gained = sum(a and not b for a, b in zip(now, then, strict=True))
    lost = sum(b and not a for a, b in zip(now, then, strict=True))
    return gained, lost


def _paired_interval(gained: int, lost: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    if n == 0:
        return math.nan, math.nan
    a, b = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = z * math.sqrt(max(a + b - (a - b) ** 2, 0.0) / (n + 2))
    return max(a - b - half, -1.0), min(a - b + half, 1.0)


def _mcnemar(gained: int, lost: int) -> str:
    """Return the two-sided exact p-value: are gains and losses a fair coin?"""
    flips, fewer = gained + lost, min(gained, lost)
    tail = sum(math.comb(flips, k) for k in range(fewer + 1)) / 2**flips if flips else 1.0
    return f"McNemar p = {min(1.0, 2 * tail):.2g}"
