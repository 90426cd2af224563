"""Preferences become messages with a `rejected` reply, whoever's form they are in."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tunegate.data import SPLITS
from tunegate.data.dataset import (
    Dataset,
    preference_sides,
    rejected_messages,
    rejected_reply,
)
from tunegate.data.formats.pairs import rejected_in
from tunegate.data.splitting import split_file

HI = {"role": "user", "content": "Hi"}
GOOD, BAD = ({"role": "assistant", "content": c} for c in ("Hello", "What"))
BE = {"role": "system", "content": "Be"}
OPENAI = {"input": {"messages": [HI]}, "preferred_output": [GOOD], "non_preferred_output": [BAD]}
OWN = {"messages": [HI, GOOD], "rejected": [BAD]}
SIDES = {"chosen": GOOD, "rejected": BAD}
CALL = [{**GOOD, "content": None}, {"role": "tool", "content": "4"}]


def in_v1(message: dict[str, str]) -> dict[str, Any]:
    """Return a message with a text as LLaMA-Factory's v1 has it."""
    weight = float(message["role"] == "assistant")
    return {
        "role": message["role"],
        "content": [{"type": "text", "value": message["content"]}],
        "loss_weight": weight,
    }


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        (OPENAI, [HI, GOOD]),
        (OWN, [HI, GOOD]),
        ({"prompt": "Hi", "chosen": "Hello", "rejected": "What"}, [HI, GOOD]),
        ({"prompt": [BE, HI], "chosen": "Hello", "rejected": "What"}, [BE, HI, GOOD]),
        ({"prompt": [HI], "chosen": [GOOD], "rejected": [BAD]}, [HI, GOOD]),
        ({"chosen": [BE, HI, GOOD], "rejected": [BE, HI, BAD]}, [BE, HI, GOOD]),
        ({"prompt": [HI], "chosen": [*CALL, GOOD], "rejected": [*CALL, BAD]}, [HI, *CALL, GOOD]),
        (
            {"system": "Be", "prompt": "Hi", "chosen": "Hello", "rejected": "What"},
            [BE, HI, GOOD],
        ),
        (  # as LLaMA-Factory's v1 has it
            {f"{s}_messages": list(map(in_v1, [BE, HI, m])) for s, m in SIDES.items()},
            [BE, HI, GOOD],
        ),
        (  # as ultrafeedback has it: the preferred side twice, the prompt three times
            {"prompt": "Hi", "messages": [HI, GOOD], "chosen": [HI, GOOD], "rejected": [HI, BAD]},
            [HI, GOOD],
        ),
    ],
)
def test_a_row_becomes_messages_and_rejected(row: dict[str, Any], messages: list[Any]) -> None:
    (one,) = Dataset.of([row])
    assert one.messages == messages
    assert rejected_reply(one) == BAD
    assert rejected_messages(one) == [*messages[:-1], BAD]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({**OPENAI, "input": [HI]}, "input is an array; an object with `messages` is needed"),
        ({**OPENAI, "input": {}}, "input.messages is null; a list of role and content"),
        ({**OPENAI, "input": {"messages": HI}}, "input.messages is an object; a list"),
        ({**OPENAI, "preferred_output": "Hello"}, "preferred_output is a text; a list"),
        ({**OPENAI, "non_preferred_output": []}, "non_preferred_output is empty; a list"),
        ({**OPENAI, "non_preferred_output": [{}]}, "non_preferred_output[0].role is missing"),
        ({**OPENAI, "preferred_output": [GOOD, GOOD]}, "preferred_output has 2 messages of its"),
        ({**OPENAI, "tools": 1, "input": {"messages": [HI], "tools": [2]}}, "tools stands twice"),
        ({"input": {"messages": [HI]}, "preferred_output": [GOOD]}, "has input, preferred_output"),
        ({"chosen": "Hello", "rejected": "What"}, "prompt is missing; a text is needed"),
        ({"prompt": "Hi", "chosen": "Hello", "rejected": None}, "rejected is null; a text"),
        ({"prompt": "Hi", "chosen": 3, "rejected": "What"}, "chosen is a number; a text"),
        ({"prompt": [HI], "chosen": [GOOD], "rejected": []}, "rejected is empty; a list"),
        ({"prompt": [HI], "chosen": [GOOD], "rejected": None}, "rejected is null; a list"),
        ({"chosen": [HI, GOOD], "rejected": [BE, HI, BAD]}, "chosen has 2 messages of its own"),
        ({"chosen_messages": [HI, GOOD], "rejected_messages": []}, "rejected_messages is empty"),
        ({"chosen_messages": [HI, GOOD], "rejected_messages": "a"}, "prompt is missing"),
        ({**OWN, "rejected": [BAD, BAD]}, "rejected has 2 messages of its own; one reply"),
        ({**OWN, "rejected": [{"role": 1}]}, "rejected[0].role is a number; a text is needed"),
    ],
)
def test_a_malformed_preference_names_the_field(row: dict[str, Any], says: str) -> None:
    dataset = Dataset.of([row])
    assert len(dataset) == 0
    (problem,) = dataset.problems
    assert problem.kind == "shape"
    assert says in problem.evidence


def test_tools_that_are_text_are_tools() -> None:
    for told in (json.dumps([{"name": "f"}]), [{"type": "function", "function": {"name": "f"}}]):
        for row in (
            {"prompt": "Hi", "chosen": "Hello", "rejected": "What"},
            {"chosen": [HI, GOOD], "rejected": [HI, BAD]},
            {"chosen_messages": [HI, GOOD], "rejected_messages": [HI, BAD]},
        ):
            (one,) = Dataset.of([{**row, "tools": told}])
            assert one.fields["tools"] == [{"type": "function", "function": {"name": "f"}}]


def test_the_dataset_says_what_it_was_read_as_and_loses_nothing() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    given_ = {"messages": [HI], "tools": tools, "parallel_tool_calls": True, "id": 7}
    dataset = Dataset.of([{**OPENAI, "input": given_, "who": "Ana"}])
    assert dict(dataset[0].fields) == {
        **OWN, "tools": tools, "parallel_tool_calls": True, "input": {"id": 7}, "who": "Ana"
    }  # fmt: skip
    mixed = Dataset.of([OPENAI, {"prompt": "Hi", "chosen": "Hello", "rejected": "What"}])
    said = [note.evidence for note in mixed.problems]
    assert said[0].startswith("read as preferences (OpenAI): input and preferred_output became")
    assert said[1].startswith("read as preferences (TRL): prompt and chosen became messages (1 of")
    published = {"messages": [HI], "tools": [], "parallel_tool_calls": True}
    assert Dataset.of([{**OPENAI, "input": published}])[0].fields == OWN


def test_a_prompt_beside_whole_conversations_is_kept_as_a_field() -> None:
    whole = {"chosen": [HI, GOOD], "rejected": [HI, BAD]}
    cases: list[tuple[Any, dict[str, str]]] = [("Hi", {"prompt": "Hi"}), (None, {}), ([], {})]
    for told, kept in cases:
        assert Dataset.of([{**whole, "prompt": told}])[0].fields == {**OWN, **kept}
    fields = Dataset.of([{**whole, "messages": [HI, GOOD], "prompt": "Hi"}])[0].fields
    assert fields == {**OWN, "prompt": "Hi"}


def test_the_system_prompt_of_a_field_opens_lists_too() -> None:
    (row,) = Dataset.of([{"system": "Be", "prompt": [HI], "chosen": [GOOD], "rejected": [BAD]}])
    assert row.messages == [BE, HI, GOOD]
    assert set(row.fields) == {"messages", "rejected"}


def test_both_replies_of_a_row_are_rows() -> None:
    (row,) = Dataset.of([OWN | {"id": 7}])
    first, other = preference_sides(row)
    assert first is row
    assert other.fields == {"messages": [HI, BAD], "rejected": [BAD], "id": 7}
    assert (other.row, other.line) == (row.row, row.line)
    (alone,) = Dataset.of([{"messages": [HI, GOOD]}])
    assert preference_sides(alone) == [alone]


def test_of_several_rejected_messages_none_is_the_reply() -> None:
    assert rejected_in({"rejected": [BAD, BAD]}) is None
    assert rejected_in({"rejected": [BAD]}) == BAD


@pytest.mark.parametrize("value", [True, "spam", None, [], ["What"], [{"content": "What"}]])
def test_a_field_that_happens_to_be_called_rejected_is_the_users_own(value: object) -> None:
    row = {"messages": [HI, GOOD], "rejected": value}
    (one,) = Dataset.of([row])
    assert one.fields == row
    assert rejected_reply(one) is None
    assert rejected_messages(one) == []


messages = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant"]),
    st.sampled_from("abc"),
)


@given(st.lists(messages, min_size=1, max_size=3), messages, messages)
def test_every_form_of_one_preference_is_read_alike(
    prompt: list[Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    forms = [
        {"messages": [*prompt, good], "rejected": [bad]},
        {"prompt": prompt, "chosen": [good], "rejected": [bad]},
        {"chosen": [*prompt, good], "rejected": [*prompt, bad]},
        {
            "input": {"messages": prompt},
            "preferred_output": [good],
            "non_preferred_output": [bad],
        },
    ]
    first, *others = (e.fields for e in Dataset.of(forms))
    assert others == [first] * 3
    assert first == forms[0]


parts = st.sampled_from([HI, GOOD, BAD, {}, {"role": 1}, {"role": "user"}, "x", 3, None])
anything = parts | st.lists(parts | st.lists(parts, max_size=1), max_size=3)
fields = st.dictionaries(
    st.sampled_from(
        [*OPENAI, "messages", "prompt", "chosen", "rejected", "system", "tools"]
        + [f"{side}_messages" for side in ("chosen", "rejected")]
    ),
    anything | st.dictionaries(st.sampled_from(["messages", "tools", "id"]), anything),
)


@example({"messages": None, "rejected": [BAD]})
@example({"chosen": None, "chosen_messages": [HI, GOOD], "rejected_messages": [HI, BAD]})
@given(fields)
def test_whatever_stands_in_the_fields_the_row_is_read_or_told_of(row: dict[str, Any]) -> None:
    dataset = Dataset.of([row])
    assert len(dataset) + sum(not problem.hint for problem in dataset.problems) == 1
    for one in dataset:
        told = rejected_messages(one)
        assert bool(told) == bool(rejected_reply(one))
        assert all(isinstance(m["role"], str) for m in told)


def test_split_keeps_preference_rows_as_they_stand(tmp_path: Path) -> None:
    told = [f"{a}{b} wants {b}{a}" for a in "bcdfg" for b in "aeiou"]
    rows: list[Any] = [{"prompt": t, "chosen": t[::-1], "rejected": t} for t in told[:12]]
    rows += [{**OPENAI, "input": {"messages": [{"role": "user", "content": t}]}} for t in told[12:]]
    source = tmp_path / "all.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    split_file(source, tmp_path / "data", validation=0.2, test=0.2)
    made = [(tmp_path / "data" / f"{name}.jsonl").read_text().splitlines() for name in SPLITS]
    assert all(made)
    assert sorted(line for lines in made for line in lines) == sorted(map(json.dumps, rows))
