"""A relation of one's own: cases are drawn and asked in one batch, failing ones are made small."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from asking import Asked, tickets
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.results.labels import json_field
from tunegate_checks.model import robustness
from tunegate_checks.model.relations import Relation, relation

ROWS = tickets(
    [(f"please send {i} boxes of tea to the old town", "ab"[i % 2]) for i in range(1, 61)]
)


def boxes(text: str) -> str:
    """Count boxes, and lose count above a hundred."""
    number = int(re.findall(r"\d+", text)[0]) if re.search(r"\d", text) else 0
    return str(min(number, 100))


@relation(holds=lambda before, after: int(after) == 2 * int(before))
def twice_as_many(text: str, which: int) -> str:
    return re.sub(r"\d+", lambda number: str(2 * int(number[0])), text)


@relation(calls=40)
def shouted(text: str, which: int) -> str:
    return text + "!" * (1 + which % 3)


def test_a_relation_between_two_answers() -> None:
    model = Asked(boxes)
    score = twice_as_many(model.of(ROWS), ROWS, model)
    assert (score.name, score.n, score.hits) == ("twice_as_many", 60, 10)
    assert score.low < 1 / 6 < score.high
    assert score.misses is not None
    assert [f.evidence for f in score.misses][:2] == ["51 -> 100: “102”", "52 -> 100: “104”"]
    assert score.hints == ("the smallest: twice_as_many, line 51: 51 -> 100: “102”",)


def test_without_another_rule_the_labels_must_be_the_same() -> None:
    calm = Asked(lambda text: "a")
    assert shouted(calm.of(ROWS), ROWS, calm) <= 0.0
    assert calm.batches == [28]  # seven tenths of the calls; the rest is for what fails
    moved = Asked(lambda text: "b" if text.endswith("!!!") else "a")
    score = shouted(moved.of(ROWS), ROWS, moved)
    assert score.misses is not None
    assert 0 < (score.hits or 0) == len(score.misses) < 28
    prose = tickets([("why?", "Because of the weather. It rained the whole day long.")] * 3)
    assert shouted(calm.of(prose), prose, calm).not_applicable
    json_rows = tickets([(row.prompt, f'{{"team": "{row.reply}"}}') for row in ROWS])
    chatty = Asked(lambda text: f'{{"team": "a", "of": {len(text)}}}')
    assert shouted(chatty.of(json_rows), json_rows, chatty, label=json_field("team")) <= 0.0


def test_a_half_is_changed_anew_unless_its_words_correspond() -> None:
    backwards = relation()(lambda text, which: " ".join(reversed(text.split())))
    model = Asked(lambda text: "b" if text.split()[0] == "town" else "a")
    found = backwards(model.of(ROWS[:9]), ROWS, model).misses
    assert found is not None
    assert {f.evidence for f in found} == {"a -> b: “town old”"}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 120))
def test_no_more_is_asked_than_was_allowed(calls: int) -> None:
    model = Asked(lambda text: str(len(text)))
    longer = Relation("longer", {"longer": lambda text, which: text + "?"}, calls=calls)
    longer(model.of(ROWS), ROWS, model)
    assert sum(model.batches) <= calls


def test_the_perturbations_are_one_relation() -> None:
    model = Asked(lambda text: "a" if text.isupper() else "b")
    capitals = {"capitals": robustness.PERTURBATIONS["capitals"]}
    flips = robustness.flips(model.of(ROWS), ROWS, model, perturbations=capitals)
    own = Relation("flip rate", capitals, by_word=True)(model.of(ROWS), ROWS, model)
    assert (flips.name, float(flips), flips.detail) == (own.name, float(own), own.detail)


def test_rows_whose_reply_is_no_label_are_left_out_and_counted() -> None:
    long = [("why?", "Because of the weather. It rained the whole day long.")]
    mixed = tickets([*((row.prompt, row.reply) for row in ROWS), *long])
    moved = Asked(lambda text: "b" if text.endswith("!") else "a")
    score = shouted(moved.of(mixed), mixed, moved)
    assert (score.n, float(score)) == (28, 1.0)
    assert score.hints[-1] == "left out: 1 rows, whose reply is no label"
    few = shouted(moved.of(tickets(long * 3)), tickets(long * 3), moved)
    assert few.not_applicable
    assert few.hints == ("3 of 3 answers are not labels: how they are written may change",)


def test_a_change_that_changes_nothing_is_no_pass() -> None:
    model = Asked(lambda text: "a")
    score = Relation("own", {"own": lambda text, which: text})(model.of(ROWS), ROWS, model)
    assert math.isnan(score)
    assert not score.not_applicable
    assert score.hints == ("own: no row is changed",)


@pytest.mark.parametrize("wrong", [None, b"text", ["text"]])
def test_a_change_returns_a_text(wrong: Any) -> None:
    model = Asked(lambda text: text)
    score = Relation("own", {"own": lambda text, which: wrong})(model.of(ROWS), ROWS, model)
    assert math.isnan(score)
    assert re.match(f"own returns {type(wrong).__name__} for “please.*; a text is", score.hints[0])
    whole = Relation(
        "own", {"own": lambda text, which: f"{text}!" if text[-4:] == "town" else wrong}
    )
    assert whole(model.of(ROWS), ROWS, model) >= 1.0  # halves that it does not change are not asked


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_call_is_a_question(calls: int) -> None:
    model = Asked(lambda text: "a")
    assert relation(calls=calls)(lambda text, which: text + "!")(model.of(ROWS), ROWS, model).n
    assert model.batches
