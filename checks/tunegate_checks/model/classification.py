"""Classification: is the answer the label? Accuracy, and which classes are taken for which."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from tunegate.results import labels as labelled
from tunegate.results.finding import Findings
from tunegate.results.labels import LabelRule, exact, label_predictions, wrong_labels
from tunegate.results.prediction import Predictions
from tunegate.results.score import Score, format_value, proportion
from tunegate.utils.text import shorten

from .metric import Metric, average

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]


NO_LABEL = "(no label)"  # an answer that is not one of the labels, or that cannot be parsed


def accuracy(
    predictions: Predictions, *, label: LabelRule = exact, every: Predictions | None = None
) -> Score:
    """Return the share of answers that are the expected label, with Wilson's 95 % interval.

    With `every`, of which `predictions` are those without a near-duplicate in training, a hint says
    what the accuracy is on them all.
    """
    rows = labelled.label_predictions(predictions, label)
    return proportion(
        "accuracy", sum(row.right for row in rows), len(rows),
        misses=misses(predictions, label=label), errors=len(predictions.errors),
        signature=label.name, hints=_excluded_hint(predictions, every, label) if every else (),
    )  # fmt: skip


def _excluded_hint(
    predictions: Predictions, all_predictions: Predictions, label: LabelRule
) -> list[str]:
    excluded = len(all_predictions) - len(predictions)
    if not excluded:
        return []
    share = sum(row.right for row in labelled.label_predictions(all_predictions, label)) / len(
        all_predictions
    )
    noun = (
        "near-duplicate of a training row" if excluded == 1 else "near-duplicates of training rows"
    )
    return [
        f"{excluded:,} {noun} set apart; {format_value(share, True)} on all {len(all_predictions):,} rows"
    ]


def misses(predictions: Predictions, *, label: LabelRule = exact) -> Findings:
    """Return every answer that is not the expected label; those without one say why."""
    return labelled.wrong_labels(predictions, label)


def right(label: LabelRule = exact) -> Metric:
    """Return accuracy as a metric: to compare two models by, or to slice."""

    def statistics(predictions: Predictions) -> npt.NDArray[Any]:
        import numpy as np

        return np.array(
            [[float(row.right)] for row in labelled.label_predictions(predictions, label)]
        )

    return Metric("accuracy", statistics, average, label.name, binary=True)


def confusion(predictions: Predictions, *, label: LabelRule = exact) -> pd.DataFrame:
    """Return counts: a row per expected label, a column per answer; answers that are no label last.

    Predictions without an answer are not in it.
    """
    import pandas as pd

    rows = [
        row for row in labelled.label_predictions(predictions, label) if not row.prediction.error
    ]
    labels = sorted({label.read(p.expected) or "" for p in predictions})
    pairs = Counter((row.expected, row.got if row.got in labels else NO_LABEL) for row in rows)
    columns = [*labels, NO_LABEL] if any(got == NO_LABEL for _, got in pairs) else labels
    cells = [[pairs[expected, got] for got in columns] for expected in labels]
    index = pd.Index(labels, name="expected")
    return pd.DataFrame(cells, index=index, columns=pd.Index(columns, name="got"))


def confused(predictions: Predictions, *, label: LabelRule = exact, most: int = 12) -> str:
    """Return the confusion matrix as text; where it is wider than 80, the commonest mistakes."""
    rows = labelled.label_predictions(predictions, label)
    matrix = confusion(predictions, label=label).to_string()
    if max(map(len, matrix.splitlines()), default=0) <= 80:
        return matrix
    mistakes = Counter(
        (row.expected, NO_LABEL if row.got is None else row.got)
        for row in rows
        if not row.right and not row.prediction.error
    )
    top_mistakes = mistakes.most_common(most)
    lines = [f"{n:>7,}  {shorten(a, 30)} taken for {shorten(b, 30)}" for (a, b), n in top_mistakes]
    rest = mistakes.total() - sum(n for _, n in top_mistakes)
    return "\n".join([*lines, f"{rest:>7,}  other mistakes"] if rest else lines)


# [merged] Precision, recall and F1: per class, and as macro, micro and weighted averages.
#
# The classes are those that the test set expects; an answer outside them is wrong, and no class.
# Precision = TP / (TP + FP), recall = TP / (TP + FN), F1 = 2 TP / (2 TP + FP + FN), each 0 where its
# denominator is 0: as scikit-learn has them with `labels=` the classes and `zero_division=0`.

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
        # which shows these beside the matrix

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
