"""Ids of findings: the same when rows move, another when a row is edited."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate import Dataset, Finding, Findings, check
from tunegate.checking.decorator import row_fingerprint
from tunegate.data.dataset import Example
from tunegate.results.outcome import collect_outcomes as accepting
from tunegate_checks.data import balance, consistency, duplicates, format, labels, leakage, pii

Row = dict[str, Any]


def row(prompt: str, reply: str = "billing", system: str = "Which team?") -> Row:
    texts = {"system": system, "user": prompt, "assistant": reply}
    return {"messages": [{"role": role, "content": text} for role, text in texts.items()]}


ROWS = [
    row("Where is my parcel? Write to ana@example.com or rui@example.com", "delivery"),
    row("My invoice is wrong, please call +55 11 98765-4321 today"),
    row("My invoice is wrong, please call +55 11 98765-4321 today"),
    row("my invoice is wrong; please call +55 11 98765-4321 today!"),
    row("The screen of my phone stays black after the last update", "technical"),
    row("The screen of my phone stays white after the last update", "technical"),
    row("The screen of my phone stays green after the last update", "technical"),
    row("How do I change the password of my account?", "account"),
    row("How do I change the password of my account?", "technical"),
    row("Do you deliver on Sundays?", "delivery", system="Be brief. Refer to help@example.com"),
    row("Can I pay in three parts?", "billing", system="Be brief. Refer to help@example.com"),
]
TRAIN = Dataset.of([row("Do you deliver on Sundays, or not?", "delivery"), *ROWS[4:5]], "train")

CHECKS: dict[str, Callable[[Dataset], Findings]] = {
    "pii": pii.find,
    "copies": duplicates.find,
    "near": duplicates.near,
    "contradictions": labels.contradictions,
    "system prompt": consistency.system_prompt,
    "leakage": lambda dataset: leakage.find(TRAIN, dataset),
    "format": lambda dataset: format.find(dataset, fewest=50),
}


def ids(find: Callable[[Dataset], Findings], rows: list[Row]) -> Counter[str]:
    with accepting({}):  # ids are made where findings can be accepted
        return Counter(finding.id for finding in find(Dataset.of(rows, "test")))


@pytest.mark.parametrize("find", CHECKS.values(), ids=CHECKS)
@settings(max_examples=15)
@given(data=st.data())
def test_ids_survive_a_shuffle(find: Callable[[Dataset], Findings], data: st.DataObject) -> None:
    before = ids(find, ROWS)
    assert before
    assert set(before.values()) == {1}  # each has one of its own
    assert ids(find, data.draw(st.permutations(ROWS))) == before


@check
def every(dataset: Dataset) -> Iterator[Finding]:
    """Yield each row, and the second one twice."""
    for example in [*dataset, *dataset[1:2]]:
        yield Finding(example.row, example.line, "row", "a row")


words = st.text("abc \u00e9\U0001f600", max_size=5)
rows = st.lists(st.builds(row, words, words, words), min_size=1, max_size=8)


@given(rows, st.data())
def test_an_edited_row_has_a_new_id_and_the_others_keep_theirs(
    told: list[Row], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(told) - 1))
    edited = [*told[:at], row("no other row says this", "x"), *told[at + 1 :]]
    before, after = ids(every, told), ids(every, edited)
    new = sum((after - before).values())
    assert new == (2 if at == 1 else 1)
    assert sum((before - after).values()) == new


def test_white_space_and_the_order_of_keys_are_not_content() -> None:
    one = {"id": 7, **ROWS[0]}
    text = json.dumps({k: one[k] for k in reversed(one)}, indent=1)
    (a,), (b,) = Dataset.of([one]), Dataset.parse(f"[{text}]".encode())
    assert row_fingerprint(a) == row_fingerprint(b)
    assert row_fingerprint(a) != row_fingerprint(Dataset.of([{"id": 8, **ROWS[0]}])[0])


def test_what_only_a_table_can_hold_is_content() -> None:
    """Parquet has dates and decimals, which JSON has not."""
    days = [date(2026, 11, 23), date(2026, 11, 24)]
    first, other = (row_fingerprint(Example(0, 1, {**ROWS[0], "day": day})) for day in days)
    assert first != other


def test_a_copy_more_is_a_new_finding() -> None:
    again = [*ROWS, ROWS[1]]
    assert not ids(duplicates.find, again).keys() & ids(duplicates.find, ROWS).keys()


def test_the_other_row_of_a_pair_counts_by_content() -> None:
    def found(*train: Row) -> str:
        trained = Dataset.of(list(train))
        (id_,) = ids(lambda test: leakage.find(trained, test), [row("Where is my parcel?")])
        return id_

    before = found(row("Where is my parcel!"))
    assert found(row("Something else"), row("Where is my parcel!")) == before
    assert found(row("Where is my parcels?")) != before


def test_a_changed_figure_is_a_new_finding() -> None:
    def found(split: str, fewest: int) -> str:
        with accepting({}):
            (finding,) = format.find(Dataset.of(ROWS[:1], split), fewest=fewest)
        return finding.id

    assert found("train", 10) == found("train", 10)
    assert len({found("train", 10), found("train", 11), found("test", 10)}) == 3


def test_a_class_that_is_rare_or_unseen_in_two_splits_is_two_findings() -> None:
    rows = [row(f"{k}", "b" if k else "c") for k in range(60)]

    def found(split: str) -> list[str]:
        dataset, train = Dataset.of(rows, split), Dataset.of(rows[1:], "train")
        with accepting({}):
            rare, unseen = balance.find(dataset), consistency.labels(train, dataset)
        return [finding.id for finding in (*rare, *unseen)]

    assert len({*found("validation"), *found("test")}) == 4


def test_hints_and_what_cannot_be_read_have_none() -> None:
    dataset = Dataset.parse(b"{broken\n" + json.dumps(ROWS[0]).encode(), "train")
    with accepting({}):
        found = format.find(dataset, fewest=1)
    assert [(f.line, f.id) for f in found] == [(1, "")]
    prose = [row("How are you?", "word " * 20), row("Hello", "word " * 20)]
    with accepting({}):
        (hint,) = duplicates.find(Dataset.of(prose)).hints
    assert hint.id == ""


@check
def elsewhere(dataset: Dataset) -> Iterator[Finding]:
    """Yield findings whose place is no row of the dataset."""
    for at in (-1, len(dataset), None):
        yield Finding(at, 1, "place", "no such row")


def test_what_is_about_no_row_of_the_dataset_has_none() -> None:
    assert ids(elsewhere, ROWS) == {"": 3}
