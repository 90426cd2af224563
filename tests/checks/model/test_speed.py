"""Speed: quantiles that are those of numpy, intervals that cover, errors that never came."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate import Predictions, Unmeasurable
from tunegate.results.outcome import collect_outcomes
from tunegate.results.prediction import Prediction
from tunegate_checks.model import speed

seconds = st.floats(0.001, 100)


def made(
    latencies: list[float], *, errors: int = 0, tokens: int = 2, prompt: int = 30, cost: float = 0.0
) -> Predictions:
    rows = [
        Prediction(i, i + 1, "q", "a", "a", "", s, tokens, cost, prompt)
        for i, s in enumerate(latencies)
    ]
    missing = [
        Prediction(len(rows) + i, 0, "q", "a", "", "timeout", latency=30.0) for i in range(errors)
    ]
    return Predictions([*rows, *missing])


@given(st.lists(seconds, min_size=1, unique=True), st.sampled_from([0.05, 0.5, 0.55, 0.95, 0.99]))
def test_a_quantile_is_numpys_nearest_rank(latencies: list[float], quantile: float) -> None:
    score = speed.latency(made(latencies), quantile)
    assert float(score) == np.quantile(latencies, quantile, method="inverted_cdf")


def test_scores_are_named_by_what_they_measure() -> None:
    rows = made([i / 10 for i in range(1, 41)], cost=0.1)
    names = [speed.latency(rows).name, speed.latency(rows, 0.5).name, speed.tokens(rows).name]
    assert names == ["latency p95 (s)", "latency p50 (s)", "tokens a request"]
    assert speed.cost_per_1000(rows).name == "cost of 1,000 (USD)"
    assert speed.ratio(rows, rows, "cost").name == "cost / baseline's"
    assert speed.latency(rows).signature == "nearest rank; as first asked, one by one"
    assert speed.ratio(rows, rows, "cost").signature == "as first asked; bootstrap; all rows"


def test_its_interval_covers() -> None:
    """95 % or more of the intervals hold the true quantile, whatever the distribution."""
    draw = random.Random(0)
    true, covered = -math.log(0.05), 0
    for _ in range(300):
        score = speed.latency(made([draw.expovariate(1) for _ in range(200)]), 0.95)
        covered += score.low <= true <= score.high
    assert covered >= 0.93 * 300


def test_too_few_answers_have_no_interval() -> None:
    assert math.isnan(speed.latency(made([1.0, 2.0, 3.0]), 0.95).low)


def test_batches_have_no_interval_and_say_so() -> None:
    score = speed.latency(made([1.0] * 100 + [2.0] * 100), 0.5)
    assert math.isnan(score.low)
    assert "in batches" in score.signature
    with pytest.raises(Unmeasurable, match=r"batches of about 100, 0.015 s an answer"):
        assert score <= 5


def test_an_answer_that_is_missing_never_came() -> None:
    latencies = [i / 100 for i in range(1, 97)]
    score = speed.latency(made(latencies, errors=4), 0.95)
    assert (score.errors, float(score), score.best_case) == (4, 0.95, 0.91)
    with pytest.raises(Unmeasurable):
        assert score <= 0.93
    late = speed.latency(made(latencies, errors=6), 0.95)
    assert math.isinf(late)
    with collect_outcomes() as ledger:
        assert late <= None  # what is not a number of JSON is not written as one
    assert ledger[0].data["value"] is None


def test_tokens_and_cost_are_means() -> None:
    some = made([0.1] * 30, tokens=2, prompt=40, cost=0.0001, errors=2)
    assert float(speed.tokens(some)) == 42
    assert float(speed.cost_per_1000(some)) == pytest.approx(0.1)
    some = Predictions([*some, *made([0.1] * 34, tokens=0, prompt=0)[32:]])
    assert "2 rows not known" in speed.tokens(some).signature


def test_a_longer_prompt_is_paid_for() -> None:
    now, before = made([0.1] * 30, prompt=38), made([0.2] * 30, prompt=398)
    assert float(speed.ratio(now, before, "tokens")) == pytest.approx(0.1)
    assert float(speed.ratio(now, before, "latency")) == pytest.approx(0.5)


@given(
    st.lists(
        st.tuples(seconds, seconds),
        min_size=20,
        max_size=40,
        unique_by=(lambda pair: pair[0], lambda pair: pair[1]),  # else they came in batches
    )
)
def test_a_ratio_lies_in_its_interval(pairs: list[tuple[float, float]]) -> None:
    now, before = (made(list(side)) for side in zip(*pairs, strict=True))
    score = speed.ratio(now, before, "latency")
    ratios = [a / b for a, b in pairs]
    assert min(ratios) * 0.999 <= score.low <= score.high <= max(ratios) * 1.001
    assert float(score) == pytest.approx(sum(a for a, _ in pairs) / sum(b for _, b in pairs))


def test_ratios_are_of_the_same_rows() -> None:
    now = made([1.0, 1.0, 1.0])
    before = Predictions([made([2.0, 9.0, 2.0])[i] for i in (0, 2)])
    score = speed.ratio(now, before, "latency")
    assert (float(score), score.n) == (0.5, 2)


@pytest.mark.parametrize("limit", [None, 1.0])
def test_what_was_never_measured_meets_no_limit(limit: float | None) -> None:
    unknown = made([0.0, 0.0], tokens=0, prompt=0)
    for score in (
        speed.latency(unknown),
        speed.tokens(unknown),
        speed.cost_per_1000(unknown),
        speed.ratio(unknown, unknown, "cost"),
    ):
        assert score.hints
        if limit is None:
            assert score <= limit
        else:
            with pytest.raises(Unmeasurable, match="not measured"):
                assert score <= limit


@pytest.mark.parametrize("what", ["tokens", "cost", "latency"])
def test_missing_answers_count_as_the_dearest_and_the_cheapest(what: speed.Quantity) -> None:
    came = [made([s], tokens=t, cost=s)[0] for s, t in ((1.0, 10), (3.0, 90))]
    missing = Prediction(2, 3, "q", "a", "", "timeout", cost=9.0)
    rows = [replace(p, row=i) for i, p in enumerate(came)]
    now, full = Predictions([*rows, missing]), made([1.0] * 3, tokens=10, cost=1.0)
    ratio = speed.ratio(now, full, what)
    assert ratio.errors == 1
    assert ratio.best_case < float(ratio)
    between = (float(ratio) + ratio.best_case) / 2
    with pytest.raises(Unmeasurable):
        assert ratio <= between
    assert ratio <= float(ratio)
    assert not speed.ratio(now, full, what) <= ratio.best_case * 0.99


def test_a_mean_with_missing_answers_may_be_unmeasurable() -> None:
    rows = made([1.0] * 3, errors=1, tokens=10)
    assert (float(speed.tokens(rows)), speed.tokens(rows).errors) == (40, 1)
    mixed = Predictions([*rows, *made([1.0] * 8, tokens=90)[5:]])
    assert float(speed.tokens(mixed)) == (3 * 40 + 4 * 120) / 7
    assert speed.tokens(mixed).best_case == (4 * 40 + 3 * 120) / 7
    with pytest.raises(Unmeasurable, match="1 of 7 answers could not be had"):
        assert speed.tokens(mixed) <= 80
