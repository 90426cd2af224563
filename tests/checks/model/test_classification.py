"""Scores of a classifier agree with scikit-learn, and know what their errors could change."""

import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate import Predictions, Unmeasurable
from tunegate.predictions import Prediction
from tunegate_checks.model import classification

LABELS = ["billing", "delivery", "returns"]
ANSWERS = [*LABELS, "no idea", ""]
pairs = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(ANSWERS)), min_size=1)


def made(rows: list[tuple[str, str]], errors: tuple[int, ...] = ()) -> Predictions:
    return Predictions(
        [
            Prediction(i, i + 1, f"ticket {i}", want, got, "timeout" if i in errors else "")
            for i, (want, got) in enumerate(rows)
        ]
    )


@given(pairs)
def test_accuracy_is_that_of_scikit_learn(rows: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score

    want, got = zip(*rows, strict=True)
    score = classification.accuracy(made(rows))
    assert float(score) == pytest.approx(accuracy_score(want, got))
    assert score.low <= score <= score.high
    assert len(score.misses or ()) == score.n - (score.hits or 0)


@settings(max_examples=30, deadline=None)
@given(pairs)
def test_macro_f1_is_that_of_scikit_learn(rows: list[tuple[str, str]]) -> None:
    from sklearn.metrics import f1_score

    want, got = zip(*rows, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The classes are those that the test set holds: an answer outside them is wrong, no class.
        known = f1_score(want, got, labels=sorted(set(want)), average="macro", zero_division=0)
    assert float(classification.macro_f1(made(rows))) == pytest.approx(known)


@given(pairs)
def test_confusion_counts_every_answer(rows: list[tuple[str, str]]) -> None:
    table = classification.confusion(made(rows))
    assert table.to_numpy().sum() == len(rows)
    right = sum(table.loc[c, c] for c in table.index if c in table.columns)
    assert right == sum(want == got for want, got in rows)


@given(pairs, pairs)
def test_improvement_is_the_difference_of_accuracies(
    now: list[tuple[str, str]], then: list[tuple[str, str]]
) -> None:
    n = min(len(now), len(then))
    rows = [(want, got) for want, got in now[:n]]
    old = [(want, got) for (want, _), (_, got) in zip(now[:n], then[:n], strict=True)]
    gain = classification.improvement(made(rows), made(old))
    difference = classification.accuracy(made(rows)) - classification.accuracy(made(old))
    assert float(gain) == pytest.approx(difference)
    assert gain.low <= gain.high


@given(st.integers(0, 40), st.integers(0, 40))
def test_flips_are_tested_as_scipy_does(gained: int, lost: int) -> None:
    from scipy.stats import binomtest

    exact = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert classification._mcnemar(gained, lost) == f"McNemar p = {exact:.2g}"


def test_errors_leave_a_score_unmeasurable_only_where_they_decide() -> None:
    rows = [("billing", "billing")] * 18 + [("billing", "")] * 2
    accuracy = classification.accuracy(made(rows, errors=(18, 19)))
    assert accuracy >= 0.9
    assert not accuracy >= 1.01
    with pytest.raises(Unmeasurable, match="2 of 20 answers could not be had"):
        assert accuracy >= 0.95


def test_errors_of_the_baseline_are_taken_at_their_worst() -> None:
    rows = [("billing", "billing")] * 10
    gain = classification.improvement(made(rows), made([("billing", "")] * 10, errors=(0, 1)))
    assert (float(gain), gain.if_right) == (0.8, 1.0)


def test_improvement_compares_the_same_rows_only() -> None:
    rows = [("billing", "billing")] * 4
    gain = classification.improvement(made(rows).without([0, 1]), made(rows))
    assert (float(gain), gain.n) == (0.0, 2)


def test_nothing_predicted_is_nothing_measured() -> None:
    assert math.isnan(classification.macro_f1(made([])))
    with pytest.raises(Unmeasurable):
        assert classification.accuracy(made([])) >= 0.5


def test_a_miss_shows_line_expectation_answer_and_prompt() -> None:
    miss = classification.misses(made([("billing", "delivery")]))[0]
    assert (miss.line, miss.kind) == (1, "billing")
    assert miss.evidence == "got 'delivery' for: ticket 0"
