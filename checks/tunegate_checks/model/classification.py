"""Classification: accuracy, the confusion matrix, precision, recall and F1.

The classes are those that the test set expects; an answer outside them is wrong, and no class. Of a
label that is a set of labels (`[label] kind = "set"`), each element is a class. Precision =
TP / (TP + FP), recall = TP / (TP + FN), F1 = 2 TP / (2 TP + FP + FN), each 0 where its denominator
is 0: as scikit-learn has them with `labels=` the classes and `zero_division=0`.
"""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

from tunegate.results.labels import LabelRule, exact, fold_advice, label_predictions, wrong_labels
from tunegate.results.prediction import Predictions
from tunegate.results.score import Score, format_value
from tunegate.utils.text import cut, shorten

from ..stats import Array, average, share
from .metric import Metric

if TYPE_CHECKING:
    import pandas as pd

NO_LABEL = "(no label)"  # an answer that is not one of the labels, or that cannot be parsed
Average = Literal["macro", "micro", "weighted"]
Measure = Literal["precision", "recall", "F1"]


def accuracy(
    predictions: Predictions, *, label: LabelRule = exact, every: Predictions | None = None
) -> Score:
    """Return the share of answers that are the expected label, with Wilson's 95 % interval.

    With `every`, those with a near-duplicate in training too, a hint has the accuracy on them all.
    """
    hints = fold_advice(predictions, label)
    excluded = len(every) - len(predictions) if every else 0
    if every and excluded:
        value = sum(row.right for row in label_predictions(every, label)) / len(every)
        one, several = "near-duplicate of a training row", "near-duplicates of training rows"
        share_text = f"{format_value(value, True)} on all {len(every):,} rows"
        hints.append(f"{excluded:,} {one if excluded == 1 else several} set apart; {share_text}")
    return share(
        "accuracy", [row.right for row in label_predictions(predictions, label)], predictions,
        misses=wrong_labels(predictions, label), signature=label.name, hints=hints,
    )  # fmt: skip


def right(label: LabelRule = exact) -> Metric:
    """Return accuracy as a metric, by which two models can be compared."""

    def statistics(predictions: Predictions) -> Array:
        import numpy as np

        return np.array([[float(row.right)] for row in label_predictions(predictions, label)])

    return Metric("accuracy", statistics, average, label.name, binary=True)


def confusion(predictions: Predictions, *, label: LabelRule = exact) -> "pd.DataFrame":
    """Return counts: a row per expected label, a column per answer; answers that are no label last.

    Predictions without an answer are not in it.
    """
    import pandas as pd

    rows = label_predictions(predictions, label)
    labels = sorted({row.expected for row in rows})
    answered = [row for row in rows if not row.prediction.error]
    pairs = Counter((r.expected, r.got if r.got in labels else NO_LABEL) for r in answered)
    columns = [*labels, NO_LABEL] if any(got == NO_LABEL for _, got in pairs) else labels
    cells = [[pairs[expected, got] for got in columns] for expected in labels]
    index = pd.Index(labels, name="expected")
    return pd.DataFrame(cells, index=index, columns=pd.Index(columns, name="got"))


def confused(predictions: Predictions, *, label: LabelRule = exact, most: int = 12) -> str:
    """Return the confusion matrix as text; where it is wider than 80, the commonest mistakes."""
    rows = label_predictions(predictions, label)
    matrix = confusion(predictions, label=label).to_string()
    if max(map(len, matrix.splitlines()), default=0) <= 80:
        return matrix
    wrong = [row for row in rows if not row.right and not row.prediction.error]
    mistakes = Counter((r.expected, NO_LABEL if r.got is None else r.got) for r in wrong)
    top_mistakes = mistakes.most_common(most)
    lines = [f"{n:>7,}  {shorten(a, 30)} taken for {shorten(b, 30)}" for (a, b), n in top_mistakes]
    rest = mistakes.total() - sum(n for _, n in top_mistakes)
    return "\n".join([*lines, f"{rest:>7,}  other mistakes"] if rest else lines)


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
    """Return an average over the classes as a metric, by which two models can be compared."""

    def combine(sums: Array, n: int) -> Array:
        counts = sums.reshape(*sums.shape[:-1], 3, -1)
        if average == "micro":  # as if all were one class
            counts = counts.sum(axis=-1, keepdims=True)
        values = _measure_values(counts, measure)
        averages: Array = values.mean(axis=-1)
        if average == "weighted":
            support = counts[..., 2, :]
            averages = (values * support).sum(axis=-1) / support.sum(axis=-1)
        return averages

    return Metric(
        f"{average}-{measure}", partial(_one_hot, label=label), combine, label.name,
        misses=partial(wrong_labels, rule=label),
        detail=lambda p: f"{table(p, label=label)}\n\n{confused(p, label=label)}",
        extremes=partial(_confusions, both_ways=measure != "F1"),
    )  # fmt: skip


def classes(predictions: Predictions, label: LabelRule = exact) -> list[str]:
    """Return the labels that the test set expects, sorted; of sets, their elements."""
    expected = {row.expected for row in label_predictions(predictions, label)}
    return sorted({part for name in expected for part in label.parts(name)})


def per_class(
    predictions: Predictions, measure: Measure = "F1", *, label: LabelRule = exact
) -> dict[str, Score]:
    """Return the measure of each class, named `F1 [billing]`; n is all examples."""

    def combine(sums: Array, n: int, place: int) -> Array:
        counts = sums.reshape(*sums.shape[:-1], 3, -1)[..., place : place + 1]
        values: Array = _measure_values(counts, measure)[..., 0]
        return values

    statistics, scores = partial(_one_hot, label=label), {}
    for i, name in enumerate(classes(predictions, label)):
        title, extremes = f"{measure} [{name}]", partial(_confusions, both_ways=True)
        metric = Metric(title, statistics, partial(combine, place=i), label.name, extremes=extremes)
        scores[name] = metric(predictions)
    return scores


def frame(predictions: Predictions, *, label: LabelRule = exact) -> "pd.DataFrame":
    """Return precision, recall, F1 and support: a row per class."""
    import pandas as pd

    counts = _one_hot(predictions, label).sum(axis=0).reshape(3, -1)
    columns: dict[str, Array] = {m: _measure_values(counts, m) for m in get_args(Measure)}
    index = pd.Index(classes(predictions, label), name="class")
    return pd.DataFrame({**columns, "n": counts[2].astype(int)}, index=index)


def table(predictions: Predictions, *, label: LabelRule = exact, most: int = 20) -> str:
    """Return the frame as text, the classes of the lowest F1 first."""
    rows = frame(predictions, label=label).sort_values("F1", kind="stable")
    rows.index = rows.index.map(lambda name: cut(name, 40))
    text: str = rows.head(most).to_string(float_format="%.3f", index_names=False)
    return text if len(rows) <= most else f"{text}\n({len(rows) - most} better classes more)"


def _one_hot(predictions: Predictions, label: LabelRule) -> Array:
    """Return, per example and class: right, answered, expected; n x 3K."""
    import numpy as np

    rows = label_predictions(predictions, label)
    place = {name: i for i, name in enumerate(classes(predictions, label))}
    marks = np.zeros((len(rows), 3, len(place)))
    for i, row in enumerate(rows):
        expected = {place[part] for part in label.parts(row.expected)}
        parts = label.parts(row.got) if row.got is not None else []
        answered = {place[part] for part in parts if part in place}
        for kind, columns in enumerate((expected & answered, answered, expected)):
            marks[i, kind, list(columns)] = 1
    return marks.reshape(len(rows), -1)


def _confusions(statistics: Array, both_ways: bool) -> tuple[Array, Array]:
    """Return rows of wrong answers, in which each class has an error more, and a mean row."""
    import numpy as np

    support = statistics.reshape(len(statistics), 3, -1)[:, 2].sum(axis=0)
    order = np.argsort(support, kind="stable").tolist()
    # In pairs by frequency: each class's own bound is then Clopper & Pearson's, the rarest's too.
    pairs = [(order[i], order[i + 1 : i + 2]) for i in range(0, len(order), 2)]
    pairs += [(other, [one]) for one, others in pairs for other in others if both_ways]
    wrong = np.zeros((len(pairs), 3, len(order)))
    for row, (expected, answered) in enumerate(pairs):
        wrong[row, 2, expected] = wrong[row, 1, answered] = 1
    return wrong.reshape(len(pairs), -1), statistics.mean(axis=0, keepdims=True)


def _measure_values(counts: Array, measure: Measure) -> Array:
    """Return the measure of each class from its counts of right, answered, expected: (..., 3, K)"""
    true, predicted, expected = (counts[..., i, :] for i in range(3))
    numerator, denominator = {
        "precision": (true, predicted),
        "recall": (true, expected),
        "F1": (2 * true, predicted + expected),
    }[measure]
    share: Array = numerator / denominator.clip(min=1)  # 0 / 0 counts 0, as with zero_division=0
    return share
