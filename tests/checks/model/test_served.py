"""A served model beside the trained one: what is honest noise, and what is another model."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicted import predicted

from tunegate import Predictions
from tunegate.config.schema import Config
from tunegate_checks.model import served
from tunegate_checks.model.served import ServedCheck, compare_served, first_difference, is_same

LABELS = ("billing", "delivery", "returns")
CLASSIFICATION = Config()
TEXT = Config(task="text")


def labels(n: int, wrong: int = 0) -> Predictions:
    """Return n answers of which the first `wrong` are."""
    rows = [(LABELS[i % 3], LABELS[(i + (i < wrong)) % 3]) for i in range(n)]
    return predicted(rows)


def texts(n: int, words: int = 20, changed: int = 0, seed: int = 0) -> Predictions:
    """Return n texts as expected, of which the last `changed` words are others."""
    draw, rows = random.Random(seed), []
    for i in range(n):
        expected = [
            f"{draw.choice('bdfgklmn')}{draw.choice('aeiou')}{i % 7}{j}" for j in range(words)
        ]
        got = [*expected[: words - changed], *(f"{w}x" for w in expected[words - changed :])]
        rows.append((" ".join(expected), " ".join(got)))
    return predicted(rows)


def all_of(answer: str, n: int) -> Predictions:
    return predicted([(LABELS[i % 3], answer) for i in range(n)])


def check(
    new: Predictions, old: Predictions, base: Predictions | None = None,
    config: Config = CLASSIFICATION, margin: float = 0.03,
) -> ServedCheck:  # fmt: skip
    return compare_served(new, old, base, config, margin)


def test_the_same_answers_are_served_as_trained() -> None:
    found = check(labels(200, 4), labels(200, 4), all_of("?", 200))
    assert (found.verdict, found.reasons, found.differences) == ("open", [], [])
    assert float(found.agreement) == 1.0
    assert [*found.lines()][-1] == "verdict   served as trained"
    json.dumps(found.facts)


@pytest.mark.parametrize("lost", [1, 3, 5])
def test_a_few_flipped_labels_of_500_are_noise(lost: int) -> None:
    assert check(labels(500, 10 + lost), labels(500, 10)).verdict == "open"


def test_flips_that_cost_no_accuracy_are_noise() -> None:
    old, new = labels(500, 20), [*labels(500)]
    for i in range(20, 40):  # as many are lost as were gained
        new[i] = replace(new[i], got="other")
    found = check(Predictions(new), old)
    assert (found.verdict, float(found.agreement)) == ("open", 0.92)


def test_a_worse_model_is_not_served_as_trained() -> None:
    found = check(labels(500, 60), labels(500, 10))
    assert found.verdict == "closed"
    assert found.reasons == ["accuracy not worse by 3.0% is not shown"]
    assert found.differences[0] == "line 11, word 1: 'delivery' became 'returns'"
    assert len(found.differences) == served.SHOWN_ANSWERS


def test_a_missing_adapter_answers_as_the_base() -> None:
    base = all_of("returns", 300)
    found = check(base, labels(300, 3), base)
    assert found.verdict == "closed"
    assert any("follow the base model's: the adapter is not loaded" in r for r in found.reasons)


def test_a_missing_adapter_is_seen_where_the_score_is_as_good() -> None:
    old, base = (predicted([("yes", f"yes, {c}{i}") for i in range(120)]) for c in "ab")
    found = check(base, old, base, TEXT)
    assert found.comparison.holds() is True
    assert found.verdict == "closed"


def test_a_wrong_template_is_seen_where_no_reply_is_expected_word_for_word() -> None:
    old, new = texts(60), predicted([(p.expected, f"<|im_end|> {p.got}") for p in texts(60)])
    found = check(new, old, config=TEXT)
    assert found.verdict == "closed"
    assert "0 of 60 answers begin as the trained model's" in found.reasons[0]


def test_texts_that_part_late_are_noise_where_half_do_not_part() -> None:
    old, other = texts(120), texts(120, changed=1)
    new = [b if i % 5 < 2 else a for i, (a, b) in enumerate(zip(old, other, strict=True))]
    found = check(Predictions(new), old, config=TEXT)
    assert (found.verdict, float(found.agreement)) == ("open", 0.6)


def test_one_number_that_is_another_in_each_text_is_not_served_as_trained() -> None:
    def said(number: int) -> Predictions:
        words = [(p.expected, p.expected.split(), i % 20) for i, p in enumerate(texts(120))]
        return predicted([(e, " ".join([*w[:i], f"{number + i}", *w[i:]])) for e, w, i in words])

    found = check(said(1000), said(2000), config=TEXT)
    assert found.comparison.holds() is True
    assert (found.verdict, float(found.agreement)) == ("unmeasurable", 0.0)
    assert found.reasons[0].startswith("0 of 120 answers are the trained model's")


def test_texts_that_part_early_are_worse() -> None:
    assert check(texts(60, changed=15), texts(60), config=TEXT).verdict == "closed"


def test_few_rows_show_nothing() -> None:
    found = check(labels(40), labels(40))
    assert found.verdict == "unmeasurable"
    assert "40 rows are too few" in found.reasons[0]


def test_missing_answers_that_decide_are_unmeasurable_and_few_are_not() -> None:
    old, new = labels(300), [*labels(300)]
    gone = [replace(p, got="", error="timeout") for p in new]
    assert check(Predictions([*gone[:40], *new[40:]]), old).verdict == "unmeasurable"
    assert check(Predictions([*gone[:1], *new[1:]]), old).verdict == "open"


def test_a_score_that_nothing_could_worsen_is_not_asked() -> None:
    old = predicted([(f"reply {i}", f"another {i}") for i in range(200)])
    assert served.metric_for(old, CLASSIFICATION, 0.03).name == "chrF"
    assert served.metric_for(labels(200), CLASSIFICATION, 0.03).name == "accuracy"


def test_an_answer_that_was_cut_off_is_compared_as_far_as_it_goes() -> None:
    whole, cut = predicted([("a", "one two three"), ("a", "one two")])
    assert not is_same(whole, cut)
    assert is_same(whole, replace(cut, finish="length"))
    assert is_same(replace(cut, finish="length"), whole)
    assert not is_same(whole, replace(cut, got="", finish="length"))
    assert not is_same(replace(whole, finish="length"), cut)
    assert is_same(whole, replace(whole, got="one two three\n"))
    assert not is_same(whole, replace(whole, calls='[{"name": "refund"}]'))


def test_the_first_word_that_differs_is_shown_and_no_part_of_a_private_value() -> None:
    old, new = predicted([("a", "call (11) 98234-7715 now"), ("a", "call (11) 98234-7715  now")])
    assert first_difference(old, new) == "line 1, word 4: ' now' became '  now'"
    new = replace(new, got="call (11) 98234-7716 now")
    assert first_difference(old, new) == "line 1, word 3: '***********' became '***********'"
    assert first_difference(old, replace(old, got="call")) == "line 1, word 2: ' ****' became ''"


@settings(max_examples=10, deadline=None)
@given(st.integers(100, 400), st.integers(0, 60), st.randoms())
def test_a_model_is_always_served_as_itself(n: int, wrong: int, draw: random.Random) -> None:
    """And never with more than a third of its answers replaced by those of the base."""
    old, base = labels(n, min(wrong, n // 4)), all_of("returns", n)
    assert check(old, old, base).verdict == "open"
    new = [b if draw.random() < 0.5 else a for a, b in zip(old, base, strict=True)]
    lost = sum(a.got != b.got for a, b in zip(new, old, strict=True))
    if lost > n // 4:
        assert check(Predictions(new), old, base).verdict == "closed"
