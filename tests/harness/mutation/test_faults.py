"""Each kind of fault changes n rows, the same for a seed, and is found by the line it names."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate import Dataset, Limits
from tunegate.mutation.faults import ANSWERS, FAULTS, Row, plant
from tunegate.testing import faults
from tunegate_checks.data import (
    balance,
    consistency,
    duplicates,
    format,
    labels,
    leakage,
    pii,
    secrets,
    splits,
)

TOPICS = {"billing": "the invoice of May", "delivery": "a parcel", "other": "a visit to your firm"}
PLACES = ("São Paulo", "Belém", "Niterói", "Maceió", "Ribeirão Preto", "Florianópolis", "Goiânia")
SYSTEM = {"role": "system", "content": "Which team is this for?"}


def chat(asked: str, reply: str | None, **more: Any) -> Row:
    """Return a row with a system prompt, a question and a reply."""
    turns = [SYSTEM, {"role": "user", "content": asked}]
    return {"messages": [*turns, {"role": "assistant", "content": reply, **more}]}


def classes(i: int) -> Row:
    """Return a row with one of three labels."""
    label, topic = [*TOPICS.items()][i % 3]
    return chat(f"Sou de {PLACES[i % 7]}, number {i * 7919}: I ask about {topic}.", label)


def texts(i: int) -> Row:
    return chat(f"Question {i * 7919}?", f"Answer {i}: {' '.join(f'w{i}x{k}' for k in range(20))}")


def objects(i: int) -> Row:
    return chat(f"Order {i * 7919}", json.dumps({"order": i, "city": PLACES[i % 7]}))


def calls(i: int) -> Row:
    function = {"name": "find", "arguments": json.dumps({"order": i})}
    call = {"id": f"c{i}", "type": "function", "function": function}
    return chat(f"Where is {i * 7919}?", None, tool_calls=[call])


def splits_of(make: Callable[[int], Row]) -> dict[str, list[Row]]:
    """Return rows of all splits, with the right answers."""
    ends = {"train": range(60), "validation": range(60, 72), "test": range(72, 102)}
    rows = {split: [make(i) for i in numbers] for split, numbers in ends.items()}
    return {**rows, ANSWERS: [{"messages": row["messages"][-1:]} for row in rows["test"]]}


MAKERS = {"classification": classes, "text": texts, "extraction": objects, "tools": calls}
ALL = {task: splits_of(make) for task, make in MAKERS.items()}
TASK_OF = {
    "swapped-replies": "text", "cut-reply": "text", "broken-json": "extraction",
    "broken-tool-call": "tools",
}  # fmt: skip
NAMED = {fault.name: fault for fault in FAULTS}


def rows_for(name: str) -> dict[str, list[Row]]:
    """Return rows that a kind of fault applies to."""
    return ALL[TASK_OF.get(name, "classification")]


def test_there_are_thirty_kinds_and_each_says_what_finds_it() -> None:
    assert len(FAULTS) == 30
    assert {fault.severity for fault in FAULTS} == {"high", "medium"}
    assert all(fault.found_by and fault.suite in ("data", "model") for fault in FAULTS)


@pytest.mark.parametrize("name", NAMED)
def test_each_kind_applies_where_it_can(name: str) -> None:
    assert plant(NAMED[name], rows_for(name)) != rows_for(name)


@given(st.sampled_from(FAULTS), st.sampled_from([*ALL]), st.integers(), st.integers(1, 9))
def test_planting_is_pure_and_repeatable(fault: Any, task: str, seed: int, n: int) -> None:
    rows, before = ALL[task], deepcopy(ALL[task])
    planted = plant(fault, rows, seed=seed, n=n)
    assert rows == before
    assert planted == plant(fault, rows, seed=seed, n=n)
    assert planted.keys() == rows.keys()
    changed = {
        split: sum(a != b for a, b in zip(planted[split], rows[split], strict=False))
        for split in rows
        if len(planted[split]) == len(rows[split])
    }
    if fault.how == "rewrite" and not fault.all:
        assert changed.pop(fault.split) <= n
        assert not any(changed.values())
    if fault.how == "exchange":
        assert sum(changed.values()) <= 2 * n


def test_the_text_beside_a_picture_is_rewritten() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}
    asked = {"role": "user", "content": [picture, {"type": "text", "text": "What is it?"}]}
    rows = {"train": [{"messages": [asked, {"role": "assistant", "content": "a cup"}]}]}
    (row,) = plant(NAMED["secret"], rows)["train"]
    assert row["messages"][0]["content"][0] == picture
    assert row["messages"][0]["content"][1]["text"].startswith("What is it? The key is AKIA")


@pytest.mark.parametrize("name", NAMED)
def test_nothing_to_plant_into_is_no_error(name: str) -> None:
    assert plant(NAMED[name], {}) == {}
    assert plant(NAMED[name], {"train": []}) == {"train": []}
    one = {"train": [{"messages": [{"role": "user", "content": ""}]}]}
    planted = plant(NAMED[name], one)
    assert [*planted] == ["train"]


def run_line(line: str, rows: dict[str, list[Row]], task: str, split: str) -> list[Any]:
    """Return what the check of a line finds in these rows."""
    modules = (balance, consistency, duplicates, format, labels, leakage, pii, secrets, splits)
    names: dict[str, Any] = {module.__name__.rpartition(".")[2]: module for module in modules}
    names |= {s: Dataset.of(rows[s], s) for s in ("train", "validation", "test")}
    names |= {"dataset": names[split], "task": task, "limits": Limits()}
    found = eval(line.removeprefix("assert not "), names)
    assert isinstance(found, list) or hasattr(found, "hints")
    return [*found]


BY_CHECKS = [f for f in FAULTS if f.found_by.startswith("assert not ") and f.suite == "data"]


@pytest.mark.parametrize("fault", BY_CHECKS, ids=lambda fault: fault.name)
def test_the_line_that_is_named_finds_it(fault: Any) -> None:
    rows, task = rows_for(fault.name), TASK_OF.get(fault.name, "classification")
    planted = plant(fault, rows, seed=1)
    split = fault.split if fault.split != "test" else "train"
    assert not run_line(fault.found_by, rows, task, split)
    found = run_line(fault.found_by, planted, task, split)
    assert found
    if fault.each:
        changed = [i for i, row in enumerate(planted["train"]) if row != rows["train"][i]]
        assert {f.row for f in found} == {*changed}


def test_other_lines_name_what_there_is() -> None:
    known = ("classification.accuracy", "classification.macro_f1", "memorization.personal_data",
             "tunegate review sample", "chrf in [limits]")  # fmt: skip
    for fault in {*FAULTS} - {*BY_CHECKS}:
        assert any(name in fault.found_by for name in known), fault.name
    assert hasattr(Limits(), "reviewed")


@given(faults(ALL["classification"]))
def test_the_strategy_draws_clean_rows_and_one_planted(drawn: Any) -> None:
    name, clean, planted = drawn
    assert name in NAMED
    assert clean == ALL["classification"]
    assert planted.keys() == clean.keys()


@settings(max_examples=5)
@given(faults(ALL["text"]["train"][:9], "secret"))
def test_a_named_fault_is_in_one_row(drawn: Any) -> None:
    name, clean, planted = drawn
    assert name == "secret"
    assert len([*secrets.find(Dataset.of(planted["train"]))]) == 1
    assert not secrets.find(Dataset.of(clean["train"]))


def test_a_kind_that_fits_no_row_is_named_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"no fault 'broken-json' in these rows; valid: .*'copy'"):
        faults(ALL["text"]["train"], "broken-json")
