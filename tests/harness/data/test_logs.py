"""Logged requests: chat completions as proxies and OpenAI keep them, and spans of OpenTelemetry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunegate import ConfigError, Dataset
from tunegate.data.traffic import read_traffic

ASKED = {"role": "user", "content": "Hi"}
SAID = {"role": "assistant", "content": "Hello"}
RESPONSE = {
    "id": "chatcmpl-1", "choices": [{"index": 0, "message": SAID, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2},
}  # fmt: skip
KNOWN = {"finish": "stop", "prompt_tokens": 9, "tokens": 2}


def read(*rows: Any) -> Dataset:
    return Dataset.parse("".join(json.dumps(row) + "\n" for row in rows).encode())


@pytest.mark.parametrize(
    "row",
    [
        {"request": {"model": "m", "messages": [ASKED]}, "response": RESPONSE},
        {"request": json.dumps({"messages": [ASKED]}), "response": json.dumps(RESPONSE)},
        {"request": {"url": "/v1", "body": {"messages": [ASKED]}},
         "response": {"status_code": 200, "body": RESPONSE}},
        {"body": {"messages": [ASKED]}, "response": {"body": RESPONSE}},
        {"custom_id": "1", "body": {"messages": [ASKED]}, "response": {"body": RESPONSE}},
        {"object": "chat.completion", "messages": [ASKED], "metadata": {"a": "b"}, **RESPONSE},
    ],
)  # fmt: skip
def test_each_form_of_a_log_is_read(row: dict[str, Any]) -> None:
    dataset = read(row)
    assert [p.evidence for p in dataset.problems if not p.hint] == []
    (example,) = dataset
    assert (example.prompt, example.reply, example.given) == ("Hi", "Hello", [ASKED])
    assert example.fields["logged"] == KNOWN


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"request": {"messages": [ASKED]}, "response": {"error": "busy"}}, "the request failed"),
        ({"request": {"input": "Hi"}, "response": RESPONSE}, "no request with `messages`"),
        ({"request": {"messages": "Hi"}, "response": RESPONSE}, "no request with `messages`"),
        ({"name": "chat", "attributes": {"gen_ai.request.model": "m"}}, "must record content"),
    ],
)
def test_a_line_that_holds_no_request_is_told_of(row: dict[str, Any], told: str) -> None:
    dataset = read(row)
    assert not len(dataset)
    assert told in dataset.problems[0].evidence


def test_choices_of_a_question_are_no_stored_completion() -> None:
    (example,) = read({"messages": [ASKED, SAID], "choices": ["Hello", "Bye"]})
    assert example.reply == "Hello"
    assert "logged" not in example.fields


def otlp(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": spans}]}]}


def span(attributes: dict[str, Any]) -> dict[str, Any]:
    listed = [{"key": key, "value": value} for key, value in attributes.items()]
    times = {"startTimeUnixNano": "1000000000", "endTimeUnixNano": "1250000000"}
    return {"traceId": "t", "spanId": "s", "name": "chat m", **times, "attributes": listed}


CALL = {"type": "tool_call", "id": "c1", "name": "rain", "arguments": {"city": "Pará"}}
RESULT = {"type": "tool_call_response", "id": "c1", "response": "yes"}
MESSAGES = [
    {"role": "user", "parts": [{"type": "text", "content": "Rain?"}]},
    {"role": "assistant", "parts": [CALL]},
    {"role": "tool", "parts": [RESULT]},
]
REPLY = [
    {"role": "assistant", "finish_reason": "stop",
     "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "It rains."}]}
]  # fmt: skip


def typed(value: Any) -> dict[str, Any]:
    """Return a JSON value as OTLP has it."""
    if isinstance(value, dict):
        return {
            "kvlistValue": {"values": [{"key": k, "value": typed(v)} for k, v in value.items()]}
        }
    if isinstance(value, list):
        return {"arrayValue": {"values": [*map(typed, value)]}}
    return {"stringValue": value}


@pytest.mark.parametrize("structured", [False, True])
def test_a_span_is_read_with_tools_reasoning_and_what_is_known_of_it(structured: bool) -> None:
    def wrote(value: Any) -> dict[str, Any]:
        return typed(value) if structured else {"stringValue": json.dumps(value)}

    asking = span({
        "gen_ai.operation.name": {"stringValue": "chat"},
        "gen_ai.system_instructions": wrote([{"type": "text", "content": "Be brief."}]),
        "gen_ai.input.messages": wrote(MESSAGES), "gen_ai.output.messages": wrote(REPLY),
        "gen_ai.usage.input_tokens": {"intValue": "12"},
        "gen_ai.conversation.id": {"stringValue": "conv-7"},
    })  # fmt: skip
    tool = span({"gen_ai.operation.name": {"stringValue": "execute_tool"}})
    dataset = read(otlp(span({"http.method": {"stringValue": "GET"}}), asking, tool), otlp(asking))
    assert [e.line for e in dataset] == [1, 2]
    assert not [p for p in dataset.problems if not p.hint]
    example = dataset[0]
    assert example.system == "Be brief."
    assert example.reply == "It rains."
    roles = [message["role"] for message in example.messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant"]
    called = example.messages[2]["tool_calls"][0]
    assert called["function"] == {"name": "rain", "arguments": '{"city": "Pará"}'}
    assert example.messages[3] == {"role": "tool", "content": "yes", "tool_call_id": "c1"}
    assert example.fields["logged"] == {
        "latency": 0.25, "finish": "stop", "prompt_tokens": 12, "conversation": "conv-7",
    }  # fmt: skip


def test_a_span_of_openllmetry_is_read() -> None:
    attributes = {
        "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "Hi",
        "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "Be brief.",
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "Hello",
        "gen_ai.completion.0.finish_reason": "stop",
    }  # fmt: skip
    (example,) = read({"name": "openai.chat", "attributes": attributes})
    assert (example.system, example.prompt, example.reply) == ("Be brief.", "Hi", "Hello")
    assert example.fields["logged"]["finish"] == "stop"


def log(path: Path, *texts: str) -> None:
    lines = [
        json.dumps({"request": {"messages": [{"role": "user", "content": text}]},
                    "response": RESPONSE, "user_ip": "10.1.2.3"}) for text in texts
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", "utf-8")


def test_traffic_is_masked_and_has_each_request_once(tmp_path: Path) -> None:
    log(tmp_path / "a.jsonl", "I am ana.souza@example.org.br", "same", "same", "other")
    log(tmp_path / "b.jsonl", "I am ana.sousa@example.org.br", "third")
    (tmp_path / "c.jsonl").write_text("{broken\n")
    data, about = read_traffic(tmp_path, ["*.jsonl"], 100)
    assert about.startswith("4 of 5 different requests, 6 logged; 1 not read, the first c.jsonl, l")
    text = data.decode()
    assert "ana.sou" not in text
    assert "10.1.2.3" not in text
    rows = [json.loads(line) for line in text.splitlines()]
    assert sorted(row["messages"][0]["content"] for row in rows) == [
        "I am a***@e***.br", "other", "same", "third",
    ]  # fmt: skip
    assert all(row.keys() == {"messages", "logged", "conversation"} for row in rows)
    assert read_traffic(tmp_path, ["*.jsonl"], 100)[0] == data
    fewer, about = read_traffic(tmp_path, ["*.jsonl"], 2)
    assert fewer.splitlines() == data.splitlines()[:2]
    assert about.startswith("2 of 5 ")


def test_private_values_that_are_keys_are_masked_too(tmp_path: Path) -> None:
    fields = {"ana.souza@example.org.br": {"type": "string"}}
    function = {"name": "find", "parameters": {"type": "object", "properties": fields}}
    lines = [
        {"messages": [ASKED, SAID], "metadata": fields},
        {"messages": [{"role": "user", "content": "Bye"}, SAID],
         "tools": [{"type": "function", "function": function}]},
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = read_traffic(tmp_path, ["a.jsonl"], 9)[0]
    assert data.count(b"a***@e***.br") == 2
    assert b"ana.souza" not in data


def test_requests_of_one_conversation_are_of_one_group(tmp_path: Path) -> None:
    later = [ASKED, SAID, {"role": "user", "content": "And?"}]
    other = [{"role": "user", "content": "Bye"}]
    lines = [json.dumps({"request": {"messages": m}, "response": RESPONSE})
             for m in ([ASKED], later, other)]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    rows = map(json.loads, read_traffic(tmp_path, ["a.jsonl"], 9)[0].splitlines())
    groups = {row["messages"][-2]["content"]: row["conversation"] for row in rows}
    assert groups["Hi"] == groups["And?"] != groups["Bye"]


def test_a_log_without_a_request_is_a_mistake_that_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no request is there; name logged requests, such as lo"):
        read_traffic(tmp_path, [], 9)
    (tmp_path / "a.jsonl").write_text("{broken\n")
    with pytest.raises(ConfigError, match=r"no request is there; 1 not read, the first a.jsonl, "):
        read_traffic(tmp_path, ["a.jsonl"], 9)
