"""The plan of rows: balanced, varied, the same whatever its length."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate import Dataset
from tunegate.config.schema import Limits
from tunegate_checks.fix.redact import Redactor
from tunegate_checks.fix.steps import FixRules
from tunegate_checks.generate.rows import OUT_OF_SCOPE, Generation, slots

LABELS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=12)


def about(*pairs: tuple[str, str], shots: int = 15) -> Generation:
    rules = FixRules(Limits(), Redactor())
    return Generation(rows(*pairs), lambda requests: {}, "m", rules, shots=shots)


def rows(*pairs: tuple[str, str]) -> Dataset:
    return Dataset.of(
        [
            {"messages": [{"role": "user", "content": p}, {"role": "assistant", "content": r}]}
            for p, r in pairs
        ]
    )


@settings(max_examples=30)
@given(LABELS, st.integers(1, 60), st.booleans())
def test_labels_are_balanced_and_each_slot_has_a_parent_of_its_label(
    labels: list[str], n: int, away: bool
) -> None:
    planned = [*islice(slots(labels, (), "z" if away else None), n)]
    inside = [slot for slot in planned if slot.difficulty != OUT_OF_SCOPE]
    assert {labels[slot.parent] == slot.label for slot in inside} <= {True}
    counts = Counter(slot.label for slot in inside)
    if not away:
        assert max(counts.values()) - min(counts.get(name, 0) for name in {*labels}) <= 1
    assert all(
        slot.other not in ("", slot.label) for slot in inside if slot.difficulty == "near miss"
    )
    assert n - len(inside) == ((n + 8) // 10 if away else 0)


@settings(max_examples=30)
@given(LABELS, st.integers(1, 40), st.integers(1, 40))
def test_a_longer_plan_begins_with_the_shorter(labels: list[str], n: int, more: int) -> None:
    longer = [*islice(slots(labels, ("pt", "en"), None), n + more)]
    assert longer[:n] == [*islice(slots(labels, ("pt", "en"), None), n)]


def test_every_combination_comes_before_one_comes_again() -> None:
    planned = [*islice(slots(["a", "b"], ("pt", "en"), None), 2 * 18)]
    cells = Counter((s.label, s.language, s.difficulty, s.length) for s in planned)
    assert len(cells) == 36


def test_replies_that_are_texts_are_no_labels() -> None:
    prose = "You find it under your orders, on the right."
    assert about(("a", "yes"), ("b", "yes"), ("c", "no")).labels == ["yes", "yes", "no"]
    assert about(("a", prose), ("b", prose), ("c", "no")).labels == ["", "", ""]
    assert about(("a", "yes"), ("b", "no")).labels == ["", ""]


@settings(max_examples=30)
@given(LABELS, st.integers(1, 15), st.integers(0, 20))
def test_the_parents_are_shown_and_the_labels_in_turn(
    labels: list[str], shots: int, turn: int
) -> None:
    pairs = [(f"question {i}", label) for i, label in enumerate(labels)]
    batch = [*islice(slots(labels, (), None), 3)]
    text = about(*pairs, shots=shots).messages(batch, turn)[1]["content"]
    parents = {slot.parent for slot in batch}
    assert text.count('{"prompt"') == max(len(parents), min(shots, len(labels)))
    for slot in batch:
        assert f'"question {slot.parent}"' in text
