"""Sizes by task; the arithmetic of what a test set can show is held against scipy."""

import math

import pytest
from scipy.stats import beta, binomtest, norm

from tunegate import Dataset
from tunegate_checks.data import size


def dataset(n: int, label: str = "a", split: str = "train") -> Dataset:
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": label}]
    return Dataset.of([{"messages": messages}] * n, split)


@pytest.mark.parametrize(
    ("task", "least"),
    [("style", 100), ("text", 100), ("qa", 500), ("chat", 500), ("tools", 500), ("extraction", 500),
     ("code", 1000), ("classification", 200), ("multilabel", 200)],
)  # fmt: skip
def test_the_least_size_of_each_task(task: str, least: int) -> None:
    (finding,) = size.find(dataset(least - 1), task=task)
    counted = "class 'a'" if least == 200 else "the train set"
    assert f"{counted} has {least - 1:,} examples; 1 more needed for {task}" in finding.evidence
    result = size.find(dataset(least), task=task)
    assert not result
    assert "enough to start" in result.hints[0].evidence


@pytest.mark.parametrize(
    ("task", "good"),
    [("style", 500), ("text", 500), ("qa", 2000), ("chat", 2000), ("tools", 2000),
     ("extraction", 2000), ("code", 5000), ("classification", 1000), ("multilabel", 1000)],
)  # fmt: skip
def test_the_good_size_of_each_task(task: str, good: int) -> None:
    (hint,) = size.find(dataset(good - 1), task=task).hints
    assert hint.evidence.endswith(f": enough to start; {good:,} is good for {task}")
    assert size.find(dataset(good), task=task).hints == ()


def test_classification_counts_each_class() -> None:
    data = Dataset.of([e.fields for e in (*dataset(200), *dataset(150, "x"))])
    (finding,) = size.find(data, task="classification")
    assert finding.evidence.startswith("class 'x' has 150 examples; 50 more needed")


def test_a_slip_of_another_class_is_told_as_one() -> None:
    data = Dataset.of([e.fields for e in (*dataset(200, "shipping"), *dataset(1, "Shipping"))])
    (finding,) = size.find(data, task="classification")
    assert finding.evidence.startswith("class 'Shipping' (a slip of 'shipping'?) has 1 example;")


def test_the_least_of_each_class_can_be_set() -> None:
    data = Dataset.of([e.fields for e in (*dataset(35), *dataset(34, "x"))])
    (finding,) = size.find(data, task="classification", per_class=35)
    assert finding.evidence.startswith("class 'x' has 34 examples; 1 more needed")
    found = size.find(data, task="classification", per_class=34)
    assert not found
    assert found.hints[0].evidence == (
        "class 'x' has 34 examples (short too: 1 more): [limits] asks for no more; "
        "1,000 is good for classification"
    )


def test_a_good_size_brings_no_hint() -> None:
    result = size.find(dataset(500), task="style")
    assert not result
    assert not result.hints


def test_nothing_at_all_is_too_few() -> None:
    for task in size.SIZES:
        assert size.find(Dataset([]), task=task)


def test_an_unknown_task_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(
        ValueError, match="task is 'sorting'; one of classification, multilabel, ext"
    ):
        size.find(dataset(5), task="sorting")


def test_the_test_set_has_a_hundred() -> None:
    assert "1 more needed" in size.enough_test_rows(dataset(99))[0].evidence
    assert not size.enough_test_rows(dataset(100))
    assert not size.enough_test_rows(dataset(50), smallest=50)


@pytest.mark.parametrize(
    ("n", "errors"), [(58, -1), (59, 0), (92, 0), (93, 1), (200, 4), (500, 16)]
)
def test_errors_allowed_by_a_lower_bound_of_95_percent(n: int, errors: int) -> None:
    assert size.errors_allowed(n, 0.95) == errors


@pytest.mark.parametrize("limit", [0.5, 0.8, 0.9, 0.97])
@pytest.mark.parametrize("n", [10, 61, 200])
def test_errors_allowed_agree_with_clopper_and_pearson(n: int, limit: float) -> None:
    def lower(errors: int) -> float:
        return float(beta.ppf(0.05, n - errors, errors + 1))

    errors = size.errors_allowed(n, limit)
    assert errors < 0 or lower(errors) >= limit
    assert lower(errors + 1) < limit


def test_how_often_a_worse_model_slips_through() -> None:
    assert size.pass_rate(100, 0.95, 0.92) == pytest.approx(0.18, abs=0.001)
    assert size.pass_rate(100, 0.95, 0.92) == pytest.approx(
        binomtest(95, 100, 0.92, alternative="greater").pvalue
    )


def test_examples_for_a_stricter_claim() -> None:
    n = size.examples_needed(0.95, 0.92)
    assert size.pass_rate(n, 0.95, 0.92) <= 0.05
    assert size.pass_rate(n // 2, 0.95, 0.92) > 0.05


@pytest.mark.parametrize(("accuracy", "examples"), [(0.01, 1), (0.2, 2), (0.3, 3), (0.45, 4)])
def test_few_examples_tell_a_model_that_is_mostly_wrong(accuracy: float, examples: int) -> None:
    """It passes where it is right on all n: accuracy ** n."""
    assert accuracy**examples <= 0.05 < accuracy ** (examples - 1)
    assert size.examples_needed(0.99, accuracy) == examples


def test_six_rows_one_way_are_the_first_that_exact_mcnemar_sees() -> None:
    assert binomtest(0, 6, 0.5).pvalue < 0.05 < binomtest(0, 5, 0.5).pvalue


def test_resolution_is_advice_in_plain_words() -> None:
    result = size.resolution(dataset(100, split="test"), 0.95)
    assert not result
    slips, differ, proof = (f.evidence for f in result.hints)
    assert "right 92 % of the time passes accuracy >= 0.95 on 18 % of such test sets" in slips
    assert "at least 6 rows (6 %)" in differ
    assert proof.startswith("with 1 or fewer of 100 wrong")


@pytest.mark.parametrize(
    ("n", "limit", "points"), [(100, 0.95, "8.6"), (200, 0.8, "11"), (1000, 0.9, "3.8")]
)
def test_the_difference_that_two_models_must_have_is_seen_four_times_in_five(
    n: int, limit: float, points: str
) -> None:
    differ = size.resolution(dataset(n, split="test"), limit).hints[1].evidence
    assert differ.startswith(f"scored apart, two models must differ by {points} points; ")
    spread = math.sqrt(2 * limit * (1 - limit) / n)  # standard error of the difference
    power = norm.sf(norm.ppf(0.975) - float(points) / 100 / spread)
    assert power == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("n", "limit", "remedy"), [(100, 0.95, True), (100_000, 0.9, False)])
def test_a_weaker_model_that_may_pass_has_a_remedy(n: int, limit: float, remedy: bool) -> None:
    slips = size.resolution(dataset(n, split="test"), limit).hints[0].evidence
    needed = size.examples_needed(limit, limit - 0.03)
    assert slips.endswith(" examples would make it 5 %") is remedy
    assert (f"; about {needed:,} examples" in slips) is remedy


def test_shares_have_two_digits_below_ten_per_cent_and_three_above() -> None:
    slips, differ, _ = size.resolution(dataset(160, split="test"), 0.955).hints
    assert slips.evidence.startswith("a model that is right 92.5 % of the time passes")
    assert "at least 6 rows (3.8 %)" in differ.evidence


def test_without_an_error_a_limit_can_be_proved() -> None:
    proof = size.resolution(dataset(59, split="test"), 0.95).hints[2].evidence
    assert proof == "with none of 59 wrong, accuracy >= 0.95 is proved (95 %, one-sided)"


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_limits_without_room_bring_no_hints(limit: float) -> None:
    assert not size.resolution(dataset(100), limit).hints
    assert not size.resolution(Dataset([]), 0.9).hints


def test_a_set_too_small_to_prove_anything_says_what_would() -> None:
    assert "with none of 59 wrong, it is" in size.resolution(dataset(20), 0.95).hints[2].evidence


def test_a_task_without_classes_takes_another_minimum_for_all_rows() -> None:
    rows = [{"messages": [{"role": "user", "content": f"{i}"}]} for i in range(140)]
    data = Dataset.of(rows, "train")
    assert size.find(data, task="code", per_class=141).kinds == {"too few": 1}
    assert not size.find(data, task="code", per_class=140)


def test_the_old_name_of_a_check_is_read_and_no_other() -> None:
    with pytest.warns(FutureWarning, match=r"write size\.enough_test_rows"):
        assert size.test_size is size.enough_test_rows
    with pytest.raises(AttributeError, match="has no attribute 'test_sizes'"):
        _ = size.test_sizes
