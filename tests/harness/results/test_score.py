"""Scores: their interval, how they are judged, and what errors do to a judgement."""

from __future__ import annotations

import math
import operator
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate import Finding, Findings, Score, Unmeasurable
from tunegate.results.outcome import collect_outcomes
from tunegate.results.score import (
    Limit,
    clopper_pearson,
    format_limit,
    format_value,
    proportion,
    wilson,
)

SIGNS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
signs = st.sampled_from(sorted(SIGNS))


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int]:
    """Draw hits, errors and n that can stand together."""
    n = draw(st.integers(1, 300))
    hits = draw(st.integers(0, n))
    return hits, draw(st.integers(0, n - hits)), n


@pytest.mark.parametrize(
    ("hits", "n"), [(0, 1), (1, 1), (0, 59), (59, 59), (3, 7), (196, 200), (475, 500), (1, 10_000)]
)
def test_wilson_is_scipys(hits: int, n: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    wanted = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


@given(counts())
def test_the_interval_holds_the_value(drawn: tuple[int, int, int]) -> None:
    hits, _, n = drawn
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n <= high <= 1


def test_without_examples_there_is_no_interval() -> None:
    score = proportion("accuracy", 0, 0)
    assert math.isnan(float(score))
    assert math.isnan(score.low)


def outcome(compare: Callable[[object, float], bool], score: Score, limit: float) -> bool | None:
    try:
        return compare(score, limit)
    except Unmeasurable:
        return None


@given(counts(), signs, st.floats(0, 1))
def test_errors_decide_nothing(drawn: tuple[int, int, int], sign: str, limit: float) -> None:
    """It holds only with every error wrong, fails only with every error right."""
    hits, errors, n = drawn
    compare = SIGNS[sign]
    worst, best = compare(hits / n, limit), compare((hits + errors) / n, limit)
    got = outcome(compare, proportion("accuracy", hits, n, errors=errors), limit)
    assert got == (worst if worst == best else None)


@given(counts(), signs, st.floats(0, 1))
def test_errors_of_a_share_that_ought_to_be_low(
    drawn: tuple[int, int, int], sign: str, limit: float
) -> None:
    sound, errors, n = drawn
    bad = sound + errors  # the errors count as bad
    score = proportion("refusals", bad, n, errors=errors, higher_is_better=False)
    compare = SIGNS[sign]
    worst, best = compare(bad / n, limit), compare(sound / n, limit)
    assert outcome(compare, score, limit) == (worst if worst == best else None)


@pytest.mark.parametrize("sign", sorted(SIGNS))
def test_what_was_not_measured_holds_no_limit(sign: str) -> None:
    with collect_outcomes() as ledger, pytest.raises(Unmeasurable, match=r"\(n = 0\)"):
        SIGNS[sign](proportion("accuracy", 0, 0), 0.5)
    assert [j.passed for j in ledger] == [None]
    assert ledger[0].data["value"] is None


def test_not_below_is_no_way_round() -> None:
    with pytest.raises(Unmeasurable):
        assert not Score(math.nan) < 0.95


def test_a_judgement_is_recorded() -> None:
    score = proportion("accuracy", 9, 10, errors=0, signature="exact")
    with collect_outcomes() as ledger:
        assert score >= 0.9
        assert not score > 0.9
        assert score > 0.5
    assert [(j.summary, j.passed) for j in ledger] == [
        ("accuracy 0.9000 >= 0.9", True),
        ("accuracy 0.9000 > 0.9", False),
        ("accuracy 0.9000 > 0.5", True),
    ]
    facts = ledger[0].to_dict()
    assert (facts["hits"], facts["n"], facts["limit"], facts["sign"]) == (9, 10, 0.9, ">=")


def test_score_against_score_is_no_judgement() -> None:
    one, other = proportion("new", 9, 10), proportion("old", 8, 10)
    with collect_outcomes() as ledger:
        assert one > other
        assert one - other == pytest.approx(0.1)
        assert f"{one:.2f}" == "0.90"
    assert ledger == []


def test_it_compares_with_numbers_alone() -> None:
    with pytest.raises(TypeError):
        assert proportion("accuracy", 1, 2) >= "0.5"  # type: ignore[operator]


def test_pickled_it_keeps_everything() -> None:
    misses = Findings("accuracy", [Finding(0, 1, "miss", "got b")], split="test", n=10)
    score = proportion("accuracy", 9, 10, misses=misses, errors=1, signature="exact")
    again = pickle.loads(pickle.dumps(score))
    assert type(again) is Score
    assert (float(again), again.__dict__) == (float(score), score.__dict__)


@pytest.mark.parametrize(("n", "told"), [(58, "at n = 58: at least 59 rows"), (59, "1 of 59 answ")])
def test_enough_rows_without_all_answers_lack_answers_and_no_rows(n: int, told: str) -> None:
    with pytest.raises(Unmeasurable, match=told):
        assert proportion("accuracy", n - 1, n, errors=1).by("lower") >= 0.95


def test_what_is_unmeasurable_says_so_in_three_lines() -> None:
    with pytest.raises(Unmeasurable) as raised:
        assert proportion("accuracy", 470, 500, errors=10) >= 0.95
    assert str(raised.value).splitlines() == [
        "accuracy >= 95% is unmeasurable",
        "10 of 500 answers could not be had: 94.0% with all of them wrong, 96.0% right",
        "run again: only the missing answers are asked for",
    ]


@given(counts())
def test_the_lower_bound_is_scipys(drawn: tuple[int, int, int]) -> None:
    stats = pytest.importorskip("scipy.stats")
    hits, _, n = drawn
    wanted = stats.binomtest(hits, n, alternative="greater").proportion_ci(0.95, method="exact")
    assert clopper_pearson(hits, n) == pytest.approx(wanted.low, abs=1e-9)


@pytest.mark.parametrize(("n", "wrong"), [(59, 0), (200, 4), (500, 16)])
def test_how_few_errors_prove_95_percent(n: int, wrong: int) -> None:
    assert proportion("accuracy", n - wrong, n).by("lower") >= 0.95
    assert not proportion("accuracy", n - wrong - 1, n).by("lower") >= 0.95
    assert proportion("accuracy", n - wrong - 1, n).by("point") >= 0.95


def decided(held: set[bool], n: int, value_holds: bool, share: float) -> bool | None:
    """Return what bounds decide; None where n rows without a fault would not show the share."""
    if len(held) > 1:
        return None
    can_hold = not 0 < share < 1 or 0.05 ** (1 / n) >= share
    return True if held == {True} else False if can_hold or not value_holds else None


@given(counts(), signs, st.floats(0, 1))
def test_errors_decide_nothing_about_a_bound(
    drawn: tuple[int, int, int], sign: str, limit: float
) -> None:
    hits, errors, n = drawn
    compare = SIGNS[sign]
    bounds = clopper_pearson(hits, n), clopper_pearson(hits + errors, n)
    held = {compare(bound, limit) for bound in bounds}
    got = outcome(compare, proportion("accuracy", hits, n, errors=errors).by("lower"), limit)
    assert got == decided(held, n, compare(hits / n, limit), limit)


def test_a_bound_knows_what_it_is_the_bound_of() -> None:
    score = proportion("accuracy", 475, 500, signature="exact")
    bound = pickle.loads(pickle.dumps(score.by("lower")))
    assert (bound.name, bound.mode, bound.estimate) == ("accuracy lower bound", "lower", 0.95)
    assert (bound.low, bound.high, bound.signature) == (score.low, score.high, "exact")
    assert float(bound.by("lower")) == float(bound) < 0.95
    by_point = score.by("point")
    assert (float(by_point), by_point.mode) == (0.95, "point")
    assert by_point.__dict__ == {**score.__dict__, "mode_is_chosen": True}


def test_the_bound_of_a_bootstrap_is_its_quantile() -> None:
    f1 = Score(
        0.9, name="macro-F1", n=50, lower=0.85, errors=2, best_case=0.94, best_case_lower=0.91
    )
    bound = f1.by("lower")
    assert (float(bound), bound.best_case) == (0.85, 0.91)
    with pytest.raises(Unmeasurable):
        assert bound >= 0.9
    with pytest.raises(ValueError, match="ratio has no lower bound"):
        Score(0.9, name="ratio", n=50).by("lower")


def test_a_bound_of_nothing_holds_no_limit() -> None:
    with pytest.raises(Unmeasurable, match=r"\(n = 0\)"):
        assert proportion("accuracy", 0, 0).by("lower") >= 0.5


def test_a_judgement_says_what_is_certain() -> None:
    with collect_outcomes() as ledger:
        assert proportion("accuracy", 58, 60, hints=["a hint"]) >= 0.95
        assert proportion("refusals", 1, 60, higher_is_better=False) <= 0.05
    assert ledger[0].data["lower"] == pytest.approx(0.89876, abs=1e-5)
    assert ledger[0].data["hints"] == ["a hint"]
    assert ledger[1].data["lower"] is None


@pytest.mark.parametrize(
    ("value", "share", "said"),
    [
        (0.9999, True, "99.9%"),
        (1.0, True, "100.0%"),
        (0.0001, True, "0.1%"),
        (0.0, True, "0.0%"),
        (0.894, True, "89.4%"),
        (0.894, False, "0.8940"),
    ],
)
def test_shown(value: float, share: bool, said: str) -> None:
    assert format_value(value, share) == said


@pytest.mark.parametrize(
    ("limit", "share", "said"),
    [(0.95, True, "95%"), (0.07, True, "7%"), (0.9525, True, "95.25%"), (0.9, False, "0.9")],
)
def test_shown_limit(limit: float, share: bool, said: str) -> None:
    assert format_limit(limit, share) == said


LOWER = Limit(0.95, "lower")


def recorded(compare: Callable[[Score], object], score: Score) -> list[tuple[str, bool | None]]:
    """Return the outcomes that a comparison records: its summary, and whether it passed."""
    with collect_outcomes() as ledger:
        compare(score)
    return [(entry.summary, entry.passed) for entry in ledger]


@pytest.mark.parametrize(
    "compare",
    [
        lambda score: score >= LOWER,
        lambda score: LOWER <= score,  # noqa: SIM300 (a limit on the left is left to the score)
        lambda score: score.by(LOWER.mode) >= 0.95,  # as suites before 0.2 say it
        lambda score: score.by(LOWER.mode) >= LOWER,
    ],
)
def test_a_limit_carries_its_mode(compare: Callable[[Score], object]) -> None:
    told = [("accuracy lower bound 0.8977 >= 0.95", False)]
    assert recorded(compare, proportion("accuracy", 95, 100)) == told
    assert recorded(lambda s: s >= Limit(0.95), proportion("accuracy", 95, 100))[0][1]
    assert recorded(compare, proportion("accuracy", 59, 59))[0][1]


@given(counts(), signs, st.floats(0, 1))
def test_errors_decide_nothing_about_either_bound(
    drawn: tuple[int, int, int], sign: str, limit: float
) -> None:
    hits, errors, n = drawn
    if sign in (">=", ">"):
        score = proportion("accuracy", hits, n, errors=errors)
        worst, best = clopper_pearson(hits, n), clopper_pearson(hits + errors, n)
    else:  # the share of what should not be, whose errors count among it
        score = proportion("flips", hits + errors, n, errors=errors, higher_is_better=False)
        worst = 1 - clopper_pearson(n - hits - errors, n)
        best = 1 - clopper_pearson(n - hits, n)
    held = {SIGNS[sign](bound, limit) for bound in (worst, best)}
    got = outcome(SIGNS[sign], score, Limit(limit, "lower"))
    share = limit if sign in (">=", ">") else 1 - limit
    assert got == decided(held, n, SIGNS[sign](float(score), limit), share)


@pytest.mark.parametrize(
    ("score", "sign", "limit", "needed"),
    [
        (proportion("accuracy", 10, 10), ">=", 0.95, "n = 10: at least 59 rows"),
        (proportion("accuracy", 58, 58), ">", 0.95, "n = 58: at least 59 rows"),
        (proportion("rude", 0, 20, higher_is_better=False), "<=", 0.05, "n = 20: at least 59 rows"),
        (
            Score(99, name="chrF", n=9, lower=60, scale=(0, 100)),
            ">=",
            80,
            "n = 9: at least 14 rows",
        ),
        (Score(0, name="kept", n=45, lower=-0.06, scale=(-1, 1)), ">=", -0.05, "at least 59 rows"),
        (Score(0.3, name="gain", n=4, lower=-0.3, scale=(-1, 1)), ">", 0.02, "at least 5 rows"),
        (Score(1, n=90, lower=0.8, units=13), ">=", 0.95, "13 independent groups: at least 59 ind"),
    ],
)
def test_what_n_cannot_show_is_unmeasurable(
    score: Score, sign: str, limit: float, needed: str
) -> None:
    with collect_outcomes() as ledger, pytest.raises(Unmeasurable) as raised:
        SIGNS[sign](score, Limit(limit, "lower"))
    assert needed in str(raised.value)
    assert "\n" not in str(raised.value)
    assert [entry.passed for entry in ledger] == [None]
    SIGNS[sign](score, limit)  # by its value it is decided


def test_a_score_that_misses_the_limit_fails_whatever_n_is() -> None:
    assert not proportion("accuracy", 2, 10) >= LOWER
    assert not Score(-0.2, name="kept", n=10, lower=-0.5, scale=(-1, 1)) >= Limit(-0.05, "lower")


def test_a_rate_is_held_by_its_upper_bound() -> None:
    rude, limit = proportion("rude", 1, 60, higher_is_better=False), Limit(0.05, "lower")
    assert recorded(lambda s: s <= limit, rude) == [("rude upper bound 0.0766 <= 0.05", False)]
    assert recorded(lambda s: s <= limit, proportion("rude", 0, 59))[0][1]
    assert recorded(lambda s: 0.01 <= s <= Limit(0.4, "lower"), proportion("x", 30, 100)) == [
        ("x 0.3000 >= 0.01", True),
        ("x upper bound 0.3842 <= 0.4", True),
    ]


def test_what_is_held_as_it_is_whatever_the_mode() -> None:
    score = proportion("accuracy", 19, 20)
    assert recorded(lambda s: s.by("point") >= LOWER, score) == [("accuracy 0.9500 >= 0.95", True)]
    found = Findings("near", [Finding(0, 1, "near", "x")], n=50)
    with collect_outcomes(mode="lower"):  # every row was checked: nothing is estimated
        assert recorded(lambda s: s <= Limit(0.02, "lower"), found.rate)[0][1]
    latency = Score(1.0, name="latency", n=50)
    assert recorded(lambda s: s <= Limit(2, "lower"), latency) == [("latency 1.0000 <= 2", True)]
    with pytest.raises(ValueError, match="unknown mode 'lowr'; valid: point, lower"):
        score.by("lowr")  # type: ignore[arg-type]


def test_a_score_without_a_lower_bound_says_so() -> None:
    with collect_outcomes() as ledger:
        assert Score(0.96, name="ratio", n=50, hints=["a hint"]) >= LOWER
    assert ledger[0].data["hints"] == [
        "a hint",
        'mode is "lower", and it has no lower bound: its value was held to the limit',
    ]


def test_plain_numbers_have_the_mode_of_the_project_while_it_judges() -> None:
    score = proportion("accuracy", 95, 100)
    with collect_outcomes(mode="lower"):
        assert not score >= 0.95
        assert not score >= LOWER - 0.01  # a number: what is computed from a limit has no mode
        assert score >= Limit(0.95)
        assert score > proportion("accuracy", 90, 100)  # values: no gate
        assert max(score, proportion("accuracy", 90, 100)) is score
        with collect_outcomes():  # a fixture that is set up inside the test
            assert not score >= 0.95
    assert score >= LOWER - 0.01
    assert type(LOWER - 0.1) is float


def test_limits_are_numbers_that_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(LOWER))
    assert (again, again.mode, f"{again:g}", repr(again)) == (0.95, "lower", "0.95", "0.95")
    assert sorted([LOWER, Limit(0.5), 0.7]) == [0.5, 0.7, 0.95]
    assert LOWER > Limit(0.5) >= 0.5
    assert not LOWER < 0.5
    assert Limit(0.5) <= 0.5
