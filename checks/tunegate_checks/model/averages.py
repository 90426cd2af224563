"""Precision, recall and F1: per class, and as macro, micro and weighted averages.

The classes are those that the test set expects; an answer outside them is wrong, and no class.
Precision = TP / (TP + FP), recall = TP / (TP + FN), F1 = 2 TP / (2 TP + FP + FN), each 0 where its
denominator is 0: as scikit-learn has them with `labels=` the classes and `zero_division=0`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from tunegate.extraction import LabelRule, exact
from tunegate.labelled import label_predictions, wrong_labels
from tunegate.predictions import Predictions
from tunegate.score import Score

from .metric import Metric

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

Average = Literal["macro", "micro", "weighted"]
Measure = Literal["precision", "recall", "F1"]


def f1(predictions: Predictions, average: Average = "macro", *, label: LabelRule = exact) -> Score:
    """Return F1: macro (each class the same), micro (each example), weighted (by support)."""
    return averaged("F1", average, label)(predictions)


def macro_f1(predictions: Predictions, *, label: LabelRule = exact) -> Score:
    """Return the mean of the classes' F1, each class counting the same."""
    return averaged("F1", "macro", label)(predictions)


def precision(
    predictions: Predictions, average: Average = "macro", *, label: LabelRule = exact
) -> Score:
    """Return how many of the answers that name a class are right."""
    return averaged("precision", average, label)(predictions)


def recall(
    predictions: Predictions, average: Average = "macro", *, label: LabelRule = exact
) -> Score:
    """Return how many of the examples of a class are answered with it."""
    return averaged("recall", average, label)(predictions)


def averaged(
    measure: Measure = "F1", average: Average = "macro", label: LabelRule = exact
) -> Metric:
    """Return an average over the classes as a metric: to compare two models by.

    Its detail is the table per class and the confusion matrix.
    """

    def statistics(predictions: Predictions) -> Array:
        return _one_hot(predictions, label)

    def combine(sums: Array, n: int) -> Array:
        return _average_values(sums, measure, average)

    def detail(predictions: Predictions) -> str:
        from .classification import confused  # which shows these beside the matrix

        return f"{table(predictions, label=label)}\n\n{confused(predictions, label=label)}"

    def list_misses(predictions: Predictions) -> Any:
        return wrong_labels(predictions, label)

    name = f"{average}-{measure}"
    return Metric(name, statistics, combine, label.name, misses=list_misses, detail=detail)


def classes(predictions: Predictions, label: LabelRule = exact) -> list[str]:
    """Return the labels that the test set expects, sorted."""
    return sorted({row.expected for row in label_predictions(predictions, label)})


def per_class(
    predictions: Predictions, measure: Measure = "F1", *, label: LabelRule = exact
) -> dict[str, Score]:
    """Return the measure of each class, named `F1 [billing]`; n is all examples."""
    names = classes(predictions, label)
    return {
        name: _class_metric(i, name, measure, label)(predictions) for i, name in enumerate(names)
    }


def _class_metric(place: int, name: str, measure: Measure, label: LabelRule) -> Metric:
    def combine(sums: Array, n: int) -> Array:
        values: Array = _measure_values(*_split_sums(sums), measure)[..., place]
        return values

    return Metric(
        f"{measure} [{name}]", lambda predictions: _one_hot(predictions, label), combine, label.name
    )


def frame(predictions: Predictions, *, label: LabelRule = exact) -> pd.DataFrame:
    """Return precision, recall, F1 and support: a row per class."""
    import pandas as pd

    true, predicted, expected = _split_sums(_one_hot(predictions, label).sum(axis=0))
    measures: tuple[Measure, ...] = ("precision", "recall", "F1")
    columns: dict[str, Array] = {m: _measure_values(true, predicted, expected, m) for m in measures}
    index = pd.Index(classes(predictions, label), name="class")
    return pd.DataFrame({**columns, "n": expected.astype(int)}, index=index)


def table(predictions: Predictions, *, label: LabelRule = exact, most: int = 20) -> str:
    """Return the frame as text, the classes of the lowest F1 first."""
    rows = frame(predictions, label=label).sort_values("F1", kind="stable")
    rows.index = rows.index.map(lambda name: name if len(name) <= 40 else name[:37] + "...")
    text: str = rows.head(most).to_string(float_format="%.3f", index_names=False)
    return text if len(rows) <= most else f"{text}\n({len(rows) - most} better classes more)"


def _one_hot(predictions: Predictions, label: LabelRule) -> Array:
    """Return, per example and class: right, answered, expected; n x 3K."""
    import numpy as np

    rows = label_predictions(predictions, label)
    place = {name: i for i, name in enumerate(sorted({row.expected for row in rows}))}
    marks = np.zeros((len(rows), 3, len(place)))
    for i, row in enumerate(rows):
        marks[i, 0, place[row.expected]] = row.right
        if row.got in place:
            marks[i, 1, place[row.got]] = 1
        marks[i, 2, place[row.expected]] = 1
    return marks.reshape(len(rows), -1)


def _split_sums(sums: Array) -> tuple[Array, Array, Array]:
    k = sums.shape[-1] // 3
    return sums[..., :k], sums[..., k : 2 * k], sums[..., 2 * k :]


def _measure_values(true: Array, predicted: Array, expected: Array, measure: Measure) -> Array:
    numerator, denominator = {
        "precision": (true, predicted),
        "recall": (true, expected),
        "F1": (2 * true, predicted + expected),
    }[measure]
    share: Array = numerator / denominator.clip(min=1)  # 0 / 0 counts 0, as with zero_division=0
    return share


def _average_values(sums: Array, measure: Measure, average: Average) -> Array:
    true, predicted, expected = _split_sums(sums)
    if average == "micro":
        pooled = [part.sum(axis=-1) for part in (true, predicted, expected)]
        return _measure_values(pooled[0], pooled[1], pooled[2], measure)
    values = _measure_values(true, predicted, expected, measure)
    if average == "macro":
        mean: Array = values.mean(axis=-1)
        return mean
    weighted: Array = (values * expected).sum(axis=-1) / expected.sum(axis=-1)
    return weighted
