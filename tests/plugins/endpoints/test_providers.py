"""What is written for each protocol, and what is read from each reply, without a server."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate_endpoints.providers import AnthropicProvider, Failure, OpenAIProvider, Reply, Usage
from tunegate_endpoints.settings import Settings

OPENAI, ANTHROPIC = OpenAIProvider(), AnthropicProvider()
SETTINGS = Settings(model="m", base_url="http://h/v1", max_tokens=9)
CALL = {
    "id": "call_1", "type": "function",
    "function": {"name": "route", "arguments": '{"team": "x"}'},
}  # fmt: skip
TOOL = {"type": "function", "function": {"name": "route", "parameters": {"type": "object"}}}
PNG = "data:image/png;base64,AAAA"


def completion(content: Any = "a", finish: Any = "stop", usage: Any = None, **message: Any) -> Any:
    choice = {"message": {"role": "assistant", "content": content, **message}}
    return {"choices": [{**choice, "finish_reason": finish}], "usage": usage}


def read(value: Any) -> Reply | Failure:
    return OPENAI.read_reply(json.dumps(value).encode())


def read_message(*content: Any, stop: Any = "end_turn", **fields: Any) -> Reply | Failure:
    value = {"content": content, "stop_reason": stop, **fields}
    return ANTHROPIC.read_reply(json.dumps(value).encode())


# Replies whose answer is "a", whatever else they hold.
GENEROUS = [
    completion(usage={"prompt_tokens": 5, "completion_tokens": None, "total_tokens": 5}),
    completion(usage={"prompt_tokens": -1, "completion_tokens": 2.5, "total_tokens": "x"}),
    completion(usage={"prompt_tokens": True, "prompt_tokens_details": 3}),
    completion(usage="many"),
    completion(refusal=False), completion(refusal={}), completion(tool_calls=5),
    completion(tool_calls=[None, {"function": 3}], reasoning=7, annotations=[{}]),
    completion([{"type": "thinking", "text": None}, None, "x", {"type": "text", "text": "a"}]),
    completion([{"text": "a"}, {"type": "audio", "audio": {}}]),
    completion(finish=None), completion(finish="eos"), completion(finish="STOP"),
    {**completion(), "model": 3, "system_fingerprint": None, "error": None},
]  # fmt: skip


@pytest.mark.parametrize("value", GENEROUS)
def test_what_decides_nothing_costs_no_answer(value: Any) -> None:
    got = read(value)
    assert isinstance(got, Reply)
    assert (got.text, got.tool_calls) == ("a", [])


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *("choices", "message", "content", "finish_reason", "usage", "tool_calls", "function"),
        *("name", "arguments", "type", "text", "error", "model", "reasoning", "stop_reason"),
    ]
)


@hypothesis.settings(max_examples=30)
@given(st.recursive(JSON, lambda x: st.lists(x, max_size=2) | st.dictionaries(NAMES, x)))
def test_nothing_that_a_server_sends_is_raised(value: Any) -> None:
    for data in (
        json.dumps(value),
        json.dumps({"choices": [{"message": value}], "content": [value]}),
    ):
        for provider in (OPENAI, ANTHROPIC):
            assert isinstance(provider.read_reply(data.encode("utf-8", "replace")), Reply | Failure)


@pytest.mark.parametrize(
    ("reason", "again"),
    [("content_filter", False), ("refusal", False), ("error", True), ("recitation", False)],
)
def test_an_answer_that_broke_off_is_none(reason: str, again: bool) -> None:
    for got in (read(completion("bil", reason)), read_message({"text": "bil"}, stop=reason)):
        assert isinstance(got, Failure)
        assert reason in got.reason
        assert (got.retryable, got.billed, got.fatal) == (again, True, False)


def test_a_choice_with_an_error_is_none() -> None:
    value = completion("bil", None)
    value["choices"][0]["error"] = {"code": 502, "message": "upstream died"}
    got = read(value)
    assert isinstance(got, Failure)
    assert (got.reason, got.retryable) == ("the answer broke off: error: upstream died", True)


@pytest.mark.parametrize("content", ["", None, []])
def test_an_answer_that_was_cut_off_before_its_first_word_is_one(content: Any) -> None:
    for got in (read(completion(content, "length")), read_message(stop="max_tokens")):
        assert isinstance(got, Reply)
        assert (got.text, got.finish) == ("", "length")


def test_pauses_and_context_windows_of_anthropic() -> None:
    assert isinstance(read_message({"type": "text", "text": "a"}, stop="pause_turn"), Failure)
    cut = read_message({"type": "text", "text": "a"}, stop="model_context_window_exceeded")
    assert isinstance(cut, Reply)
    assert cut.finish == "length"


def test_results_of_the_servers_own_tools_are_no_text() -> None:
    used = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"text": "b"}]}
    result = {"type": "tool_result", "tool_use_id": "s", "content": "b"}
    got = read_message(used, found, result, None, {"type": "text", "text": "a"})
    assert isinstance(got, Reply)
    assert (got.text, got.tool_calls) == ("a", [])
    assert isinstance(read_message(used, found, result), Failure)


ARGUMENTS = [
    ('{"team": "x", "n": 1}', {"team": "x", "n": 1}), ({"team": "x"}, {"team": "x"}), ("", {}),
    (None, {}), ('{"team": ', '{"team": '), ("[1]", [1]), ("delivery", "delivery"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "value"), ARGUMENTS)
def test_tool_calls_are_read(written: Any, value: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "route", "arguments": written}}
    of_old = {"name": "route", "arguments": written}
    for got in (
        read(completion(None, "tool_calls", tool_calls=[call])),
        read(completion("", "tool_calls", tool_calls=[call])),
        read(completion(None, "function_call", function_call=of_old)),
        read_message(
            {"type": "tool_use", "id": "c", "name": "route", "input": written}, stop="tool_use"
        ),
    ):
        assert isinstance(got, Reply)
        assert got.tool_calls == [{"name": "route", "arguments": value}]
        assert (got.text, got.finish) == ("", "stop")


def test_reasoning_is_kept_apart() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"text": "a"}]
    for got in (
        read(completion(reasoning_content="hm")), read(completion(reasoning="hm")),
        read(completion(parts)),
        read_message({"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}),
    ):  # fmt: skip
        assert isinstance(got, Reply)
        assert (got.text, got.reasoning) == ("a", "hm")


def test_who_served_is_kept() -> None:
    got = read({**completion(), "model": "m-2026", "system_fingerprint": "fp_1"})
    assert isinstance(got, Reply)
    assert got.served_by == "m-2026 fp_1"


COUNTS = [
    ({"prompt_tokens": 50, "completion_tokens": 2, "total_tokens": 52}, Usage(50, 2)),
    # The reasoning stands beside the completion (xAI), or in it (OpenAI), or in the total alone.
    (
        {"prompt_tokens": 50, "completion_tokens": 2, "total_tokens": 552,
         "completion_tokens_details": {"reasoning_tokens": 500}}, Usage(50, 502),
    ),
    (
        {"prompt_tokens": 50, "completion_tokens": 502, "total_tokens": 552,
         "completion_tokens_details": {"reasoning_tokens": 500}}, Usage(50, 502),
    ),
    (
        {"prompt_tokens": 50, "completion_tokens": 2,
         "completion_tokens_details": {"reasoning_tokens": 500}}, Usage(50, 502),
    ),
    ({"prompt_tokens": 50, "total_tokens": 52}, Usage(50, 2)),
    ({"completion_tokens": 2, "total_tokens": 52}, Usage(None, 2)),
    ({"total_tokens": 52}, Usage()),
    ({"prompt_tokens": 5.5, "completion_tokens": 2}, Usage(6, 2)),
    (
        {"prompt_tokens": 1000, "completion_tokens": 2,
         "prompt_tokens_details": {"cached_tokens": 900}}, Usage(1000, 2, 900),
    ),
    ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 99}},
     Usage(9, 1, 9)),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "usage"), COUNTS)
def test_tokens_are_counted(sent: Any, usage: Usage) -> None:
    got = read(completion(usage=sent))
    assert isinstance(got, Reply)
    assert got.usage == usage


def test_tokens_that_anthropic_caches() -> None:
    sent = {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 90}
    got = read_message({"text": "a"}, usage={**sent, "cache_creation_input_tokens": None})
    assert isinstance(got, Reply)
    assert got.usage == Usage(95, 2, 90)


def test_cached_tokens_have_their_own_price() -> None:
    prices = {"price_in": 1, "price_out": 10}
    full, cheap = (
        SETTINGS.model_copy(update=prices | more) for more in ({}, {"price_cached": 0.1})
    )
    assert full.price(1000, 10, 900) == pytest.approx(1100e-6)
    assert cheap.price(1000, 10, 900) == pytest.approx((100 + 90 + 100) * 1e-6)


TURNS = [
    {"role": "system", "content": "brief"},
    {"role": "user", "content": [{"type": "text", "text": "this"},
                                 {"type": "image_url", "image_url": {"url": PNG}}]},
    {"role": "assistant", "content": None, "weight": 0, "tool_calls": [CALL, {**CALL, "id": "b"}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    {"role": "tool", "tool_call_id": "b", "content": ""},
    {"role": "user", "content": "thanks"},
]  # fmt: skip


def test_a_conversation_as_openai_takes_it() -> None:
    body = OPENAI.body(SETTINGS, TURNS, [TOOL])
    assert body["tools"] == [TOOL]
    assert body["messages"][0] == TURNS[0]
    assert body["messages"][1] == TURNS[1]
    assert body["messages"][2] == {"role": "assistant", "tool_calls": TURNS[2]["tool_calls"]}
    assert body["messages"][3:] == TURNS[3:]
    assert "tools" not in OPENAI.body(SETTINGS, TURNS[:1], ())


def test_a_conversation_as_anthropic_takes_it() -> None:
    body = ANTHROPIC.body(SETTINGS, TURNS, [TOOL])
    use = {"type": "tool_use", "id": "call_1", "name": "route", "input": {"team": "x"}}
    assert body["system"] == "brief"
    assert body["tools"] == [{"name": "route", "input_schema": {"type": "object"}}]
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "this"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                },
            ],
        },
        {"role": "assistant", "content": [use, {**use, "id": "b"}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "call_1",
                    "content": [{"type": "text", "text": "done"}],
                },
                {"type": "tool_result", "tool_use_id": "b", "content": []},
            ],
        },
        {"role": "user", "content": "thanks"},
    ]


PICTURES = [
    {"type": "image_url", "image_url": PNG},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
    {"type": "image", "image": PNG},
    {"type": "image", "url": PNG},
]


@pytest.mark.parametrize("part", PICTURES)
def test_pictures_of_other_libraries_are_sent(part: Any) -> None:
    turns = [{"role": "user", "content": [part]}]
    (sent,) = OPENAI.body(SETTINGS, turns, ())["messages"][0]["content"]
    assert sent == {"type": "image_url", "image_url": {"url": PNG}}
    (sent,) = ANTHROPIC.body(SETTINGS, turns, ())["messages"][0]["content"]
    assert sent["source"]["data"] == "AAAA"


UNSENDABLE: list[tuple[dict[str, Any], str]] = [
    ({"role": "function", "name": "f", "content": "x"}, "no messages of role function"),
    ({"role": "user", "content": [{"type": "input_audio"}]}, "no part of type 'input_audio'"),
    ({"role": "user", "content": [{"type": "image", "image": "a.png"}]}, "not as 'a.png'"),
    ({"role": "assistant", "tool_calls": [{"id": "x"}]}, "that name a function"),
    ({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[1]"}}]},
     "the arguments of an earlier call of f are no JSON object"),
]  # fmt: skip


@pytest.mark.parametrize(("turn", "said"), UNSENDABLE)
def test_what_anthropic_cannot_be_sent(turn: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ANTHROPIC.body(SETTINGS, [turn], ())


@pytest.mark.parametrize(
    ("provider", "base", "address"),
    [
        (OPENAI, "http://h/v1", "http://h/v1/chat/completions"),
        (OPENAI, "http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        (ANTHROPIC, "http://h", "http://h/v1/messages"),
        (ANTHROPIC, "http://h/v1", "http://h/v1/messages"),
        (ANTHROPIC, "http://h/v1/messages", "http://h/v1/messages"),
        (ANTHROPIC, "http://h/gateway", "http://h/gateway/v1/messages"),
    ],
)
def test_addresses(provider: Any, base: str, address: str) -> None:
    assert provider.address(base) == address
