"""Classification: is the answer the label? Accuracy, and which classes are taken for which."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tunegate import labelled
from tunegate.extraction import Rule, exact
from tunegate.findings import Findings
from tunegate.labelled import shortened
from tunegate.predictions import Predictions
from tunegate.score import Score, proportion, shown

from .averages import f1 as f1
from .averages import macro_f1 as macro_f1
from .averages import precision as precision
from .averages import recall as recall
from .metric import Metric, average

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

OTHER = "(no label)"  # an answer that is not one of the labels, or that cannot be parsed


def accuracy(
    predictions: Predictions, *, label: Rule = exact, every: Predictions | None = None
) -> Score:
    """Return the share of answers that are the expected label, with Wilson's 95 % interval.

    With `every`, of which `predictions` are those without a near-duplicate in training, a hint says
    what the accuracy is on them all.
    """
    rows = labelled.labelled(predictions, label)
    return proportion(
        "accuracy", sum(row.right for row in rows), len(rows),
        misses=misses(predictions, label=label), errors=len(predictions.errors),
        signature=label.name, hints=_beside(predictions, every, label) if every else (),
    )  # fmt: skip


def _beside(predictions: Predictions, every: Predictions, label: Rule) -> list[str]:
    apart = len(every) - len(predictions)
    if not apart:
        return []
    share = sum(row.right for row in labelled.labelled(every, label)) / len(every)
    what = "near-duplicate of a training row" if apart == 1 else "near-duplicates of training rows"
    return [f"{apart:,} {what} set apart; {shown(share, True)} on all {len(every):,} rows"]


def misses(predictions: Predictions, *, label: Rule = exact) -> Findings:
    """Return every answer that is not the expected label; those without one say why."""
    return labelled.misses(predictions, label)


def right(label: Rule = exact) -> Metric:
    """Return accuracy as a metric: to compare two models by, or to slice."""

    def statistics(predictions: Predictions) -> npt.NDArray[Any]:
        import numpy as np

        return np.array([[float(row.right)] for row in labelled.labelled(predictions, label)])

    return Metric("accuracy", statistics, average, label.name, binary=True)


def confusion(predictions: Predictions, *, label: Rule = exact) -> pd.DataFrame:
    """Return counts: a row per expected label, a column per answer; answers that are no label last.

    Predictions without an answer are not in it.
    """
    import pandas as pd

    rows = [row for row in labelled.labelled(predictions, label) if not row.prediction.error]
    labels = sorted({label.read(p.expected) or "" for p in predictions})
    pairs = Counter((row.expected, row.got if row.got in labels else OTHER) for row in rows)
    columns = [*labels, OTHER] if any(got == OTHER for _, got in pairs) else labels
    cells = [[pairs[expected, got] for got in columns] for expected in labels]
    index = pd.Index(labels, name="expected")
    return pd.DataFrame(cells, index=index, columns=pd.Index(columns, name="got"))


def confused(predictions: Predictions, *, label: Rule = exact, most: int = 12) -> str:
    """Return the confusion matrix as text; where it is wider than 80, the commonest mistakes."""
    rows = labelled.labelled(predictions, label)
    matrix = confusion(predictions, label=label).to_string()
    if max(map(len, matrix.splitlines()), default=0) <= 80:
        return matrix
    wrong = Counter(
        (row.expected, OTHER if row.got is None else row.got)
        for row in rows
        if not row.right and not row.prediction.error
    )
    top = wrong.most_common(most)
    lines = [f"{n:>7,}  {shortened(a, 30)} taken for {shortened(b, 30)}" for (a, b), n in top]
    rest = wrong.total() - sum(n for _, n in top)
    return "\n".join([*lines, f"{rest:>7,}  other mistakes"] if rest else lines)
