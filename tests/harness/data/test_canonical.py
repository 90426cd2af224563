"""Two rows have one context if the model is given the same, whatever an exporter writes around."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.data.canonical import calls_json, part_tools, request_digest
from tunegate.data.dataset import Dataset, Example
from tunegate.models.predict import request_of
from tunegate.utils.files import sha256_json

ASKED = {"role": "user", "content": "What is on it?"}
CALL = {"name": "find", "arguments": '{"a": 1, "b": [2]}'}
PICTURE = {"type": "image_url", "image_url": {"url": "a.png"}}


def called(call: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [call], **more}


def example(*messages: dict[str, Any], **fields: Any) -> Example:
    return Example(0, 1, {"messages": [*messages], **fields})


def given_messages(*messages: dict[str, Any], **fields: Any) -> str:
    return example(*messages, {"role": "assistant", "content": "yes"}, **fields).context


OPENAI_CALL = {"id": "c1", "type": "function", "function": CALL}
NATIVE_CALL = {"function": {"name": "find", "arguments": {"b": [2], "a": 1}}}
RESULT = {"role": "tool", "content": "none", "tool_call_id": "c1"}

SAME = [
    ([ASKED], [{"role": "user", "content": [{"type": "text", "text": "What is on it?"}]}]),
    ([ASKED], [{"content": "What is on it?", "role": "user", "name": None, "tool_calls": None}]),
    ([ASKED, called(OPENAI_CALL), RESULT],
     [ASKED, called({**OPENAI_CALL, "id": "x9"}), {**RESULT, "tool_call_id": "x9"}]),
    ([ASKED, called(OPENAI_CALL), RESULT],
     [ASKED, called(NATIVE_CALL), {"role": "tool", "content": "none", "name": None}]),
    ([{"role": "developer", "content": "Be kind."}, ASKED],
     [{"role": "system", "content": "Be kind."}, ASKED]),
    ([{"role": "user", "content": "a\r\nb"}], [{"role": "user", "content": "a\nb"}]),
    ([ASKED, {"role": "assistant", "content": "<think>hm</think>A cat."}, ASKED],
     [ASKED, {"role": "assistant", "content": "A cat.", "reasoning_content": "so"}, ASKED]),
    ([{**ASKED, "weight": 1.0}], [ASKED]),
]  # fmt: skip
OTHER = [
    ([ASKED], [{"role": "user", "content": "What is on it"}]),
    ([ASKED], [{"role": "user", "content": [{"type": "text", "text": "What is on it?"}, PICTURE]}]),
    ([ASKED], [{"role": "system", "content": "Doc: one."}, ASKED]),
    ([ASKED, called(OPENAI_CALL), RESULT],
     [ASKED, called({**OPENAI_CALL, "function": {**CALL, "arguments": "{}"}}), RESULT]),
    ([ASKED, called(OPENAI_CALL), RESULT],
     [ASKED, called(OPENAI_CALL), {**RESULT, "content": "two"}]),
    ([{"role": "user", "content": "avó"}], [{"role": "user", "content": "avo\u0301"}]),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_gives_the_model_the_same_is_one_context(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    assert given_messages(*one) == given_messages(*other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_gives_it_something_else_is_another(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    assert given_messages(*one) != given_messages(*other)


TOOL = {"type": "function", "function": {"name": "find", "description": None}}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"images": ["a"]}, {"images": ["b"]}, False),
        ({"videos": ["a"]}, {}, False),
        ({"tools": [TOOL]}, {"tools": json.dumps([TOOL])}, True),
        ({"tools": [TOOL]}, {"tools": [{"type": "function", "function": {"name": "find"}}]}, True),
        ({"tools": []}, {"images": None}, True),
        ({"source": "a"}, {"source": "b"}, True),  # a field of one's own is given to no model
    ],
)
def test_the_fields_of_a_row_that_are_given_belong_to_it(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    assert (given_messages(ASKED, **one) == given_messages(ASKED, **other)) is same


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner),
    max_leaves=4,
)


@settings(max_examples=25)
@given(st.dictionaries(st.text(max_size=5), values, min_size=1, max_size=3))
def test_neither_the_order_of_keys_nor_json_in_a_text_makes_another(tool: dict[str, Any]) -> None:
    turned = dict(reversed(tool.items()))
    tools = given_messages(ASKED, tools=[tool])
    assert given_messages(ASKED, tools=json.dumps([turned])) == tools
    calls = [called({"id": "c", "function": {"name": "f", "arguments": a}}) for a in (tool, turned)]
    assert given_messages(ASKED, calls[0]) == given_messages(ASKED, calls[1])


def test_a_target_has_its_reasoning_apart() -> None:
    plain = example(ASKED, {"role": "assistant", "content": "A cat."}).target
    thought = {"role": "assistant", "content": "<think>Paws.</think>A cat.", "thinking": "So."}
    target = example(ASKED, thought).target
    assert target == plain != example(ASKED, {"role": "assistant", "content": "A dog."}).target
    assert (target.text, target.reasoning, plain.reasoning) == ("A cat.", "Paws.\nSo.", "")


def test_a_target_is_text_calls_or_a_refusal() -> None:
    one, other = (example(ASKED, called(call)).target for call in (OPENAI_CALL, NATIVE_CALL))
    assert one == other
    refused = example(ASKED, {"role": "assistant", "content": None, "refusal": "No."}).target
    assert (refused.refusal, bool(refused), one == refused) == ("No.", True, False)
    assert not example(ASKED).target
    assert not example(ASKED, {"role": "assistant", "content": " "}).target


@pytest.mark.parametrize("content", ["", None, []])
def test_an_empty_reply_is_still_the_reply(content: Any) -> None:
    """A tool call has no text: it is not asked, and no model is given its own answer."""
    row = example(ASKED, called(OPENAI_CALL, content=content))
    assert (row.prompt, row.given, row.reply) == ("What is on it?", [ASKED], "")
    assert request_of(row).messages == [ASKED]


def test_the_label_is_read_from_the_answer_without_its_reasoning() -> None:
    thought = {"role": "assistant", "content": "<think>It is late.</think>\n\ndelivery"}
    assert Dataset.of([{"messages": [ASKED, thought]}])[0].label == "delivery"


# What a request may hold beside roles and contents, each another question.
QUESTIONS: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = [
    ([ASKED], []),
    ([{**ASKED, "name": "ana"}], []),
    ([{**ASKED, "reasoning_content": "hm"}], []),
    ([{**ASKED, "content": [PICTURE]}], []),
    ([ASKED], [{"type": "function", "function": {"name": "find"}}]),
    ([ASKED], [{"type": "function", "function": {"name": "seek"}}]),
    ([ASKED, called(OPENAI_CALL), RESULT], []),
    ([ASKED, called({**OPENAI_CALL, "function": {**CALL, "name": "seek"}}), RESULT], []),
    ([ASKED, called({**OPENAI_CALL, "function": {**CALL, "arguments": "{}"}}), RESULT], []),
    ([ASKED, called(OPENAI_CALL), {**RESULT, "content": "one"}], []),
    ([ASKED, {**called(OPENAI_CALL), "tool_calls": [OPENAI_CALL, {**OPENAI_CALL, "id": "c2"}]},
      RESULT, {**RESULT, "tool_call_id": "c2", "content": "b"}], []),
    ([ASKED, {**called(OPENAI_CALL), "tool_calls": [OPENAI_CALL, {**OPENAI_CALL, "id": "c2"}]},
      {**RESULT, "tool_call_id": "c2"}, {**RESULT, "content": "b"}], []),
]  # fmt: skip


def test_the_digest_of_a_request_is_that_of_all_that_is_asked() -> None:
    digests = [request_digest(messages, tools) for messages, tools in QUESTIONS]
    assert len({*digests}) == len(digests)
    for messages, tools in QUESTIONS:  # ids only number the calls
        renamed = json.loads(json.dumps(messages).replace('"c1"', '"x9"').replace('"c2"', '"x0"'))
        assert request_digest(renamed, tools) == request_digest(messages, tools)


def test_of_roles_and_contents_alone_it_is_that_of_older_versions() -> None:
    pairs = [["system", "be brief"], ["user", "who?"]]
    messages = [{"role": role, "content": content} for role, content in pairs]
    assert request_digest(messages) == sha256_json(pairs)


def test_calls_are_equal_for_equal_json_values() -> None:
    def calls(arguments: Any) -> str:
        return calls_json([called({"function": {"name": "f", "arguments": arguments}})])

    assert calls('{"a": 1, "b": "x"}') == calls({"b": "x", "a": 1.0}) != calls({"b": "x"})
    assert calls({"a": True}) != calls({"a": 1}) != calls({"a": "1"})
    assert calls("{not json") != calls({})
    assert calls_json([{"role": "assistant", "content": "hi"}]) == ""


FUNCTION = '{"name": "f", "description": "Calls.", "parameters": {"type": "object"}}'
TOOL = f'{{"type": "function", "function": {FUNCTION}}}'


@pytest.mark.parametrize(
    ("text", "rest", "tools"),
    [
        (f"<tools>\n{TOOL}\n{TOOL}\n</tools> Go.", "<tools>\n\n\n</tools> Go.", TOOL * 2),
        (f"Use [{FUNCTION}]. Go.", "Use . Go.", f"[{FUNCTION}]"),
        (f"Use\n[\n  {FUNCTION}\n]", "Use\n", f"[\n  {FUNCTION}\n]"),
        ('[{"name": "f"}]', '[{"name": "f"}]', ""),
        ('[{"name": "f"', '[{"name": "f"', ""),
        ('Answer as {"name": "Ana"}', 'Answer as {"name": "Ana"}', ""),
        ('{"type": "object", "properties": {}}', '{"type": "object", "properties": {}}', ""),
        ('Answer as {"name": "Ana", "tools": 5}', 'Answer as {"name": "Ana", "tools": 5}', ""),
        ("Be brief.", "Be brief.", ""),
    ],
)
def test_tools_that_a_prompt_declares_are_parted_from_it(text: str, rest: str, tools: str) -> None:
    assert part_tools(text) == (rest, tools)
    asked = example({"role": "system", "content": text}, {"role": "user", "content": "Hi"})
    assert (tools in json.loads(asked.setting)) if tools else not asked.setting
