"""Slices: the worst of them shows, small ones are held to nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from predicted import predicted

from tunegate import Predictions
from tunegate_checks.model import classification, slices

RIGHT, WRONG = ("a", "a"), ("a", "b")


def bilingual() -> Predictions:
    """60 rows in English, all right; 40 in Portuguese, half wrong; 5 in Spanish, all wrong."""
    rows = [RIGHT] * 60 + [RIGHT, WRONG] * 20 + [WRONG] * 5
    said = ["en"] * 60 + ["pt"] * 40 + ["es"] * 5
    return predicted(rows, fields=[{"language": s, "id": i} for i, s in enumerate(said)])


def test_accuracy_by_a_field() -> None:
    found = slices.accuracy(bilingual(), "language")
    assert {k: (v.name, float(v), v.n) for k, v in found.items()} == {
        "en": ("accuracy [language=en]", 1.0, 60),
        "pt": ("accuracy [language=pt]", 0.5, 40),
        "es": ("accuracy [language=es]", 0.0, 5),
    }


def test_the_worst_of_the_large_ones() -> None:
    worst = slices.worst(bilingual())
    assert (worst.name, float(worst), worst.n) == ("accuracy [language=pt]", 0.5, 40)
    assert worst.hints == ("accuracy [language=es] is 0.0% on 5: too few to hold to a limit",)
    assert worst.detail.splitlines()[2].endswith("      5  fewer than 30: held to nothing")
    assert max(map(len, worst.detail.splitlines())) <= 100
    assert worst.misses is not None
    assert len(worst.misses) == 20


def test_a_small_test_set_is_one_slice() -> None:
    worst = slices.worst(predicted([RIGHT] * 9 + [WRONG]))
    assert (worst.name, float(worst), worst.n) == ("accuracy [no slice of 30]", 0.9, 10)


def test_errors_of_any_slice_count() -> None:
    fields = [{"side": "left"}] * 40 + [{"side": "right"}] * 40
    one = predicted([RIGHT] * 80, errors=range(4), fields=fields)
    assert (float(slices.worst(one)), slices.worst(one).best_case) == (0.9, 1.0)
    two = predicted([RIGHT] * 40 + [WRONG] * 3 + [RIGHT] * 37, errors=range(4), fields=fields)
    assert (float(slices.worst(two)), slices.worst(two).best_case) == (0.9, 0.925)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=80))
def test_lengths_are_a_partition(lengths: list[int]) -> None:
    rows = predicted([RIGHT] * len(lengths), prompts=["word " * n for n in lengths])
    found = slices.accuracy(rows, "length")
    assert sum(score.n for score in found.values()) == len(lengths)
    assert 1 <= len(found) <= 4


def test_lengths_have_names_that_say_them() -> None:
    rows = predicted([RIGHT] * 100, prompts=["word " * n for n in range(100)])
    names = sorted(slices.accuracy(rows, "length"))
    assert names == ["25-49 words", "50-74 words", "over 74 words", "up to 24 words"]


def test_what_can_be_sliced_by() -> None:
    assert slices.fields(bilingual()) == ["language"]


def test_an_unknown_field_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="no test example has a field 'lang'; there is length, id"):
        slices.accuracy(bilingual(), "lang")


@given(st.lists(st.booleans(), min_size=1, max_size=90))
def test_slices_sum_to_the_whole(right: list[bool]) -> None:
    fields = [{"third": i % 3} for i in range(len(right))]
    rows = predicted([RIGHT if r else WRONG for r in right], fields=fields)
    found = slices.accuracy(rows, "third").values()
    assert sum(s.hits or 0 for s in found) == classification.accuracy(rows).hits
