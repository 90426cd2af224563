"""Precision, recall and F1 agree with scikit-learn, per class and in every average."""

import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicted import pairs, predicted

from tunegate_checks.model import classification

MEASURES = ["precision", "recall", "F1"]


@settings(max_examples=25, deadline=None)
@given(
    pairs,
    st.sampled_from(MEASURES),
    st.sampled_from(["macro", "micro", "weighted"]),
)
def test_averages_are_those_of_scikit_learn(rows, measure, average) -> None:  # type: ignore[no-untyped-def]
    from sklearn.metrics import precision_recall_fscore_support

    want, got = zip(*rows, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The classes are those that the test set holds: an answer outside them is wrong, no class.
        known = precision_recall_fscore_support(
            want, got, labels=sorted(set(want)), average=average, zero_division=0
        )[MEASURES.index(measure)]
    score = classification.averaged(measure, average)(predicted(rows))
    assert float(score) == pytest.approx(known)
    assert score.low <= (score.lower or 0) <= score.high


@settings(max_examples=20, deadline=None)
@given(pairs)
def test_each_class_is_that_of_scikit_learn(rows: list[tuple[str, str]]) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    want, got = zip(*rows, strict=True)
    classes = sorted(set(want))
    known = precision_recall_fscore_support(want, got, labels=classes, zero_division=0)
    frame = classification.frame(predicted(rows))
    assert list(frame.index) == classes
    for column, values in zip([*MEASURES, "n"], known, strict=True):
        assert list(frame[column]) == pytest.approx(list(values))
    recall = classification.per_class(predicted(rows), "recall")
    assert [float(score) for score in recall.values()] == pytest.approx(list(known[1]))


def test_the_detail_has_the_worst_class_first_and_the_confusion() -> None:
    score = classification.macro_f1(
        predicted([("a", "a")] * 4 + [("b", "a"), ("b", "b"), ("c", "?")])
    )
    assert score.detail.splitlines() == [
        "   precision  recall    F1  n",
        "c      0.000   0.000 0.000  1",
        "b      1.000   0.500 0.667  2",
        "a      0.800   1.000 0.889  4",
        "",
        "got       a  b  c  (no label)",
        "expected                     ",
        "a         4  0  0           0",
        "b         1  1  0           0",
        "c         0  0  0           1",
    ]


def test_errors_are_worst_in_the_value_and_right_in_the_other() -> None:
    score = classification.macro_f1(predicted([("a", "a")] * 20 + [("b", "")] * 10, range(20, 30)))
    assert (float(score), score.best_case, score.errors) == (0.5, 1.0, 10)
    assert (score.best_case_lower or 0) > (score.lower or 0)


def test_nothing_predicted_is_nothing_measured() -> None:
    assert math.isnan(classification.macro_f1(predicted([])))


def test_many_classes_are_resampled_too() -> None:
    rows = [(f"c{i % 77}", f"c{i % 77 if i % 9 else 0}") for i in range(3_080)]
    score = classification.macro_f1(predicted(rows))
    assert 0.8 < score.low < (score.lower or 0) < float(score) < score.high < 1


def test_none_wrong_is_no_certainty() -> None:
    """20 right of 20 show 86 %, as they do of accuracy: an error is added that was not seen."""
    score = classification.macro_f1(predicted([("a", "a"), ("b", "b")] * 10))
    assert (float(score), score.high) == (1, 1)
    assert 0.84 < float(score.by("lower")) <= 0.05 ** (1 / 20) + 0.005
    assert 0.8 < score.low < score.by("lower")
