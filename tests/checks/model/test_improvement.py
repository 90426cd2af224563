"""Improvement over the baseline, on the same rows, at its worst where answers are missing."""

import math

import pytest
from hypothesis import given, settings
from predicted import pairs, predicted

from tunegate_checks.model import classification, improvement

RIGHT = ("billing", "billing")


@settings(deadline=None)
@given(pairs, pairs)
def test_it_is_the_difference_of_accuracies(
    now: list[tuple[str, str]], then: list[tuple[str, str]]
) -> None:
    n = min(len(now), len(then))
    old = [(want, got) for (want, _), (_, got) in zip(now[:n], then[:n], strict=True)]
    gain = improvement.of(predicted(now[:n]), over=predicted(old))
    accuracies = [classification.accuracy(predicted(rows)) for rows in (now[:n], old)]
    assert float(gain) == pytest.approx(accuracies[0] - accuracies[1])
    assert gain.low <= (gain.lower or 0) <= gain.high


def test_errors_of_the_baseline_are_taken_at_their_worst() -> None:
    old = predicted([("billing", "")] * 10, errors=(0, 1))
    gain = improvement.of(predicted([RIGHT] * 10), over=old)
    assert (float(gain), gain.best_case, gain.errors) == (0.8, 1.0, 2)


def test_only_common_rows_are_compared() -> None:
    rows = predicted([RIGHT] * 4)
    assert improvement.of(rows.without([0, 1]), over=rows).n == 2
    assert math.isnan(improvement.of(rows.without([0, 1]), over=rows.without([2, 3])))


def test_its_signature_counts_the_flips() -> None:
    old = predicted([("billing", "other")] * 6 + [RIGHT] * 14)
    gain = improvement.of(predicted([RIGHT] * 20), over=old)
    assert gain.signature == "before 14 of 20; 6 gained, 0 lost; McNemar p = 0.031"
    assert gain.misses is not None
    assert gain.misses.kinds == {"gained": 6}


def test_a_baseline_that_is_good_enough_is_told() -> None:
    rows = predicted([RIGHT] * 97 + [("billing", "other")] * 3)
    assert improvement.of(rows, over=rows, enough=0.98).hints == ()
    assert improvement.of(rows, over=rows, enough=0.95).hints == (
        "the base model alone is right 97.0% of the time, and the limit is 95.0%: "
        "no fine-tuning needed for that",
    )


@pytest.mark.parametrize(("enough", "hints"), [(0.95, 1), (0.96, 0)])
def test_a_baseline_that_is_as_good_as_the_limit_is_good_enough(enough: float, hints: int) -> None:
    rows = predicted([RIGHT] * 95 + [("billing", "other")] * 5)
    assert len(improvement.of(rows, over=rows, enough=enough).hints) == hints
