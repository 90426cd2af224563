"""Several answers to each question (`--repeat K`): their spread, the commonest, pass@k and pass^k.

pass@k is the share of questions with a right answer among k (Chen et al. 2021, arXiv:2107.03374),
pass^k the share whose k answers are all right (Yao et al. 2024, arXiv:2406.12045). Here k is the
number of repetitions, so both are counts. Missing answers count as wrong.
"""

from collections.abc import Callable, Sequence
from statistics import median, mode
from typing import Literal

from tunegate import Findings, Prediction, Predictions
from tunegate.results.labels import LabelRule, exact
from tunegate.results.outcome import record_table
from tunegate.results.score import Score, format_value, not_applicable_score
from tunegate.utils.text import shorten

from ..stats import share
from .metric import Metric

Answered = str | Literal[True] | None  # a right answer, the label of a wrong one, or no label


def spread(predictions: Predictions, *metrics: Metric) -> None:
    """Show the least, the median and the greatest value of each metric over the repetitions."""
    rounds, rows = predictions.repetitions, [["score", "min", "median", "max"]]
    if not (rounds and len(predictions)):
        return
    for metric in metrics:
        values = [metric.value(metric.statistics(answers)) for answers in rounds]
        ends = min(values), median(values), max(values)
        rows.append([metric.name, *(format_value(value, metric.binary) for value in ends)])
    record_table(f"over {len(rounds)} repetitions", rows)


def pass_at_k(predictions: Predictions, *, label: LabelRule = exact) -> Score:
    """Return the share of questions with a right answer among the k."""
    return _share("pass@", predictions, label, lambda answers: True in answers)


def pass_hat_k(predictions: Predictions, *, label: LabelRule = exact) -> Score:
    """Return the share of questions whose k answers are all right: pass^k."""
    return _share("pass^", predictions, label, lambda answers: {*answers} == {True})


def majority(predictions: Predictions, *, label: LabelRule = exact) -> Score:
    """Return the share of questions whose commonest answer is right; of equals, the first given."""
    return _share("majority of ", predictions, label, lambda answers: mode(answers) is True)


def _share(
    name: str, predictions: Predictions, label: LabelRule,
    holds: Callable[[Sequence[Answered]], bool],
) -> Score:  # fmt: skip
    if not (rounds := predictions.repetitions):
        return not_applicable_score(f"{name}k", "each row was asked once: --repeat K asks again")

    def answers(row: Sequence[Prediction], missing: Answered) -> list[Answered]:
        return [missing if p.error else label.right(p) or label.labels_of(p)[1] for p in row]

    rows, name = [*zip(*rounds, strict=True)], f"{name}{len(rounds)}"
    hits = [holds(answers(row, None)) for row in rows]
    missing = [not hit and holds(answers(row, True)) for row, hit in zip(rows, hits, strict=True)]
    misses = [
        row[0].finding(f"{answers(row, None).count(True)} right", shorten(row[0].prompt, 60))
        for row, hit in zip(rows, hits, strict=True)
        if not hit
    ]
    return share(
        name, hits, predictions, missing=missing, signature=label.name,
        misses=Findings(name, misses, split="test", n=len(rows)),
    )  # fmt: skip
