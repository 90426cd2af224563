"""Faults of form with one remedy are remedied; nothing else is touched, nothing is lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.data.dataset import Dataset
from tunegate_checks.data import format
from tunegate_checks.fix.repairs import repair_messages

USER, REPLY = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
CALL = {"id": "1", "function": {"name": "f", "arguments": {"é": 1}}}


def faults(*messages: Any) -> list[str]:
    dataset = Dataset.of([{"messages": [*messages]}])
    return [f.kind for f in format.find(dataset, fewest=0)]


@pytest.mark.parametrize(
    ("message", "becomes"),
    [
        ({"role": "Human "}, {"role": "user"}),
        ({"name": " "}, {}),
        ({"weight": 1}, {}),
        ({"content": "a\0b"}, {"content": "ab"}),
        (
            {"content": [{"type": "text", "text": "\0b"}]},
            {"content": [{"type": "text", "text": "b"}]},
        ),
    ],
)
def test_of_the_user(message: dict[str, Any], becomes: dict[str, Any]) -> None:
    row = {"messages": [USER | message, REPLY], "x": 1}
    new, done = repair_messages(row)
    assert new == {"messages": [USER | becomes, REPLY], "x": 1}
    assert len(done) == 1
    assert faults(*row["messages"])  # type: ignore[misc]
    assert not faults(*new["messages"])
    assert repair_messages(new) == (new, [])


def test_of_the_assistant() -> None:
    new, done = repair_messages({"messages": [USER, REPLY | {"weight": 1.0}]})
    assert json.dumps(new["messages"][1]["weight"]) == "1"
    assert done == ["messages[1].weight became 1"]
    said = {"role": "assistant", "content": " ", "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "1", "content": "x"}
    new, done = repair_messages({"messages": [USER, said, result, REPLY]})
    assert len(done) == 2
    assert not faults(*new["messages"])
    call = new["messages"][1]["tool_calls"][0]
    assert (call["type"], call["function"]["arguments"]) == ("function", '{"é": 1}')
    assert (new["messages"][1]["content"], CALL["function"]["arguments"]) == (None, {"é": 1})  # type: ignore[index]


def test_keys_that_a_message_cannot_have_move_to_the_row() -> None:
    new, _ = repair_messages({"messages": [USER, REPLY | {"id": 7}]})
    assert new == {"messages": [USER, REPLY], "message_fields": {"1": {"id": 7}}}
    taken = {"messages": [USER, REPLY | {"id": 7}], "message_fields": "mine"}
    assert repair_messages(taken) == (taken, [])


@pytest.mark.parametrize("told", [[USER, USER, REPLY], [USER, REPLY, REPLY]])
def test_two_messages_of_one_role_are_never_joined(told: list[Any]) -> None:
    row = {"messages": told}
    assert repair_messages(row) == (row, [])


odd = st.sampled_from(
    [None, "", " ", "x", "a\0", 0, 1, 1.0, True, 0.5, [], [CALL], {}, "User", "gpt"]
)
keys = st.sampled_from(["content", "name", "weight", "tool_calls", "refusal", "id", "audio"])
messages = st.builds(
    lambda role, more: {"role": role, "content": "x", **more},
    st.sampled_from(["user", "User", "assistant", "GPT", "tool", "system", "who"]),
    st.dictionaries(keys, odd, max_size=3),
)


@given(st.lists(messages, min_size=1, max_size=4))
def test_twice_is_once_and_a_valid_row_is_left_alone(told: list[dict[str, Any]]) -> None:
    row = {"messages": told}
    before = json.dumps(row)
    new, done = repair_messages(row)
    assert json.dumps(row) == before
    assert (new is row) == (not done)
    assert repair_messages(new) == (new, [])
    dataset = Dataset.of([row])
    if len(dataset) and not format.find(dataset, fewest=0):
        assert repair_messages(dict(dataset[0].fields))[1] == []
