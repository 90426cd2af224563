"""Each rule of the chat format: the planted fault is named, and the clean twin is silent."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate import Dataset, Findings
from tunegate_checks.data import format

USER = {"role": "user", "content": "Where is my parcel?"}
REPLY = {"role": "assistant", "content": "delivery"}
CALL = {"id": "c1", "type": "function", "function": {"name": "track", "arguments": '{"id": 3}'}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TWO_CALLS = {**CALLS, "tool_calls": [CALL, {**CALL, "id": "c2"}]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "on its way"}
TOOLS = [{"type": "function", "function": {"name": "track", "parameters": {}}}]


def found(*messages: Any, **fields: Any) -> Findings:
    return format.find(Dataset.of([{"messages": [*messages], **fields}], "train"), fewest=1)


def called(**changes: Any) -> dict[str, Any]:
    return {**CALLS, "tool_calls": [{**CALL, **changes}]}


def function(**changes: Any) -> dict[str, Any]:
    return called(function={**CALL["function"], **changes})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "messages",
    [
        [USER, REPLY],
        [{"role": "system", "content": "Be brief."}, USER, REPLY],
        [USER, REPLY, USER, REPLY],
        [USER, {**REPLY, "weight": 0}, USER, {**REPLY, "weight": 1}],
        [{**USER, "name": "ana"}, REPLY],
        [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, REPLY],
        [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]},
            REPLY,
        ],
        [USER, CALLS],
        [USER, CALLS, RESULT, REPLY],
        [USER, {**CALLS, "content": "Let me look."}, RESULT, REPLY],
        [USER, CALLS, RESULT, CALLS, RESULT, REPLY],
        [USER, TWO_CALLS, {**RESULT, "tool_call_id": "c2"}, RESULT, REPLY],
        [USER, {"role": "assistant", "refusal": "I cannot help with that."}],
    ],
)
def test_a_valid_row_is_silent(messages: list[Any]) -> None:
    result = found(*messages, tools=TOOLS, language="en", parallel_tool_calls=False)
    assert list(result) == []
    assert not result.hints


@pytest.mark.parametrize(
    ("messages", "kind", "evidence"),
    [
        ([USER, {**REPLY, "weight": 0.5}], "weight", "messages[1].weight is 0.5; 0 or 1 is valid"),
        (
            [USER, {**REPLY, "weight": True}],
            "weight",
            "messages[1].weight is true; 0 or 1 is valid",
        ),
        ([USER, {**REPLY, "weight": 2}], "weight", "messages[1].weight is 2; 0 or 1 is valid"),
        ([{**USER, "weight": 1}, REPLY], "weight", 'messages[0].weight stands on "user"'),
        ([USER, {**REPLY, "weight": 0}], "weight", "every assistant message has weight 0"),
        ([USER, REPLY, USER], "last", 'messages[2], the last, is from "user"'),
        ([USER, {**REPLY, "content": ""}], "empty", "messages[1].content is empty"),
        ([USER, {**REPLY, "content": " \n"}], "empty", "messages[1].content is blank"),
        ([USER, {**CALLS, "content": ""}], "empty", "messages[1].content is empty; write null"),
        ([USER, {**REPLY, "content": []}], "empty", "messages[1].content is an empty list"),
        ([USER, {**REPLY, "content": "a\0b"}], "content", "a NUL character at 2"),
        ([USER, {**REPLY, "content": None}], "content", "messages[1].content is null"),
        ([USER, {"role": "assistant"}], "content", "messages[1].content is missing"),
        (
            [{**USER, "content": None, "tool_calls": [CALL]}, REPLY],
            "content",
            "messages[0].content",
        ),
        ([{**USER, "content": ["Hi"]}, REPLY], "content", 'messages[0].content[0] is "Hi"'),
        ([{**USER, "content": [{"type": "text"}]}, REPLY], "content", "content[0].text is null"),
        (
            [{**USER, "content": [{"type": "text", "text": ""}]}, REPLY],
            "empty",
            "content[0].text is",
        ),
        (
            [{**USER, "content": [{"type": "video"}]}, REPLY],
            "videos",
            "places for a video in the messages: 1; files in `videos`: 0",
        ),
        (
            [{**USER, "content": [{"type": "film"}]}, REPLY],
            "content",
            'content[0].type is "film"',
        ),
        ([{**USER, "content": [{"type": "file", "file": 3}]}, REPLY], "content", "].file is 3"),
        (
            [USER, {**REPLY, "content": [{"type": "image_url"}]}],
            "content",
            "from assistant, valid is",
        ),
        ([{**USER, "role": "human"}, REPLY], "role", 'messages[0].role is "human"; one of system'),
        ([{**USER, "mood": "bad"}, REPLY], "key", 'messages[0] has the key "mood"'),
        ([{**USER, "name": 3}, REPLY], "name", "messages[0].name is 3"),
        ([USER, {"role": "system", "content": "x"}, REPLY], "order", "messages[1] is from system"),
        ([USER, REPLY, REPLY], "order", "messages[2] is from assistant, as the one before"),
        ([REPLY], "order", "messages[0] is from assistant, with nothing from the user"),
        ([USER, function(arguments=[3])], "arguments", "arguments is an array; the arguments"),
        (
            [USER, function(arguments="{id: 3}")],
            "arguments",
            "arguments is a text that is not JSON",
        ),
        ([USER, function(arguments="3")], "arguments", "arguments holds 3 as JSON"),
        (
            [USER, function(arguments="[" * 9000)],
            "arguments",
            "arguments is a text that is not JSON",
        ),
        ([USER, function(name="")], "tool call", 'function.name is ""'),
        ([USER, function(name="send")], "tool call", '"send"; the row\'s tools are: track'),
        ([USER, called(id=7)], "tool call", "messages[1].tool_calls[0].id is 7"),
        ([USER, called(type="code")], "tool call", 'messages[1].tool_calls[0].type is "code"'),
        ([USER, called(function=None)], "tool call", "messages[1].tool_calls[0].function is null"),
        ([USER, {**CALLS, "content": "x", "tool_calls": []}], "tool call", "tool_calls is empty"),
        ([USER, {**CALLS, "tool_calls": {"a": 1}}], "tool call", "tool_calls is an object"),
        ([USER, {**CALLS, "tool_calls": ["x"]}], "tool call", 'tool_calls[0] is "x"'),
        ([USER, {**CALLS, "tool_calls": [CALL, CALL]}], "tool call", 'has the id "c1" twice'),
        ([USER, CALLS, REPLY], "tool result", 'messages[2] stands where the result of "c1" is due'),
        ([USER, CALLS, RESULT, RESULT, REPLY], "tool result", "no call that is open (open: none)"),
        (
            [USER, RESULT, REPLY],
            "tool result",
            'messages[1].tool_call_id is "c1": it answers no call',
        ),
        ([USER, CALLS, {**RESULT, "tool_call_id": "c9"}], "tool result", '(open: "c1")'),
        ([USER, {"role": "tool", "content": "x"}, REPLY], "tool result", "call_id is null"),
        ([{**USER, "tool_call_id": "c1"}, REPLY], "tool result", "belongs to a message from tool"),
        ([{**USER, "tool_calls": [CALL]}, CALLS], "tool call", 'tool_calls stands on "user"'),
    ],
)
def test_a_fault_is_named(messages: list[Any], kind: str, evidence: str) -> None:
    result = found(*messages, tools=TOOLS)
    assert any(f.kind == kind and evidence in f.evidence for f in result), list(result)
    assert {(f.row, f.line) for f in result} == {(0, 1)}
    assert all("\n" not in f.evidence for f in result)


@pytest.mark.parametrize(
    "tools", ["track", [3], [{"type": "function"}], [{"function": {"name": "a"}}]]
)
def test_bad_tools_are_named(tools: Any) -> None:
    assert found(USER, REPLY, tools=tools).kinds == {"tools": 1}


def test_one_fault_makes_one_finding() -> None:
    assert len(found(USER, {**REPLY, "weight": 0.5})) == 1
    assert len(found(USER, {**REPLY, "content": ""})) == 1
    assert len(found(USER, REPLY, USER)) == 1


def test_developer_is_advice_only() -> None:
    result = found({"role": "developer", "content": "Be brief."}, USER, REPLY)
    assert list(result) == []
    assert [f.kind for f in result.hints] == ["developer"]


def test_ten_examples_are_needed() -> None:
    rows = [{"messages": [USER, REPLY]}] * 9
    assert format.find(Dataset.of(rows)).kinds == {"too few": 1}
    assert "so 1 more" in format.find(Dataset.of(rows))[0].evidence
    assert not format.find(Dataset.of(rows * 2))


def test_a_file_too_large_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"messages": []}\n')
    path.open("r+b").truncate(2_000_000)  # sparse: no such bytes are written
    dataset = Dataset([], path=path)
    assert (
        "the file has 2 MB; at most 1 MB" in format.find(dataset, fewest=0, largest=1)[0].evidence
    )
    assert not format.find(dataset, fewest=0, largest=2)


def test_rows_that_are_in_no_file_have_no_size() -> None:
    assert not format.find(Dataset.of([{"messages": [USER, REPLY]}]), fewest=1, largest=0.5)


def test_lines_that_cannot_be_read_are_findings_and_notes_are_hints() -> None:
    data = b'{"instruction": "a", "output": "b"}\nnot json\n'
    result = format.find(Dataset.parse(data), fewest=1)
    assert [(f.line, f.kind) for f in result] == [(2, "json")]
    assert [f.kind for f in result.hints] == ["shape"]


KEYS = st.sampled_from(
    [*format.MESSAGE_KEYS, "id", "type", "text", "function", "arguments", "image_url"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["text", "tool", "c1", "", "{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from([*format.ROLES, "bob"])},
    optional=dict.fromkeys(format.MESSAGE_KEYS[1:], ANYTHING),
)


@given(st.lists(MESSAGE, min_size=1, max_size=4), ANYTHING)
@settings(deadline=None)
def test_no_row_raises_and_every_finding_is_one_printable_line(
    messages: list[Any], tools: Any
) -> None:
    result = found(*messages, tools=tools)
    assert all(f.evidence.isprintable() and len(f.evidence) < 250 for f in (*result, *result.hints))
