"""Classification: is the answer the label? Accuracy, and which classes are taken for which."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tunegate import labelled
from tunegate.extraction import LabelRule, exact
from tunegate.findings import Findings
from tunegate.labelled import shorten
from tunegate.predictions import Predictions
from tunegate.score import Score, format_value, proportion

from .averages import f1 as f1
from .averages import macro_f1 as macro_f1
from .averages import precision as precision
from .averages import recall as recall
from .metric import Metric, average

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

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
