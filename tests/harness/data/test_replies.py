"""Tool calls in the text of a model, as common chat templates have them; reasoning apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.data.canonical import calls_json, read_reply

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("find", "send")]
FIND, SEND = {"name": "find", "arguments": {"q": "é"}}, {"name": "send", "arguments": {}}
FIND_JSON, SEND_JSON = json.dumps(FIND), json.dumps(SEND)
LLAMA = json.dumps({"name": "find", "parameters": {"q": "é"}})

FORMS: dict[str, tuple[str, str, list[Any]]] = {
    "Hermes": (f"<tool_call>\n{FIND_JSON}\n</tool_call>", "", [FIND]),
    "two": (
        f"<tool_call>{FIND_JSON}</tool_call>\n<tool_call>{SEND_JSON}</tool_call>",
        "",
        [FIND, SEND],
    ),
    "beside a text": (f"Let me see.\n<tool_call>{FIND_JSON}</tool_call>", "Let me see.", [FIND]),
    "cut off": (f"<tool_call>{FIND_JSON}", "", [FIND]),
    "after thoughts": (f"<think>hm</think>\n<tool_call>{FIND_JSON}</tool_call>", "", [FIND]),
    "Mistral": (f"[TOOL_CALLS] [{FIND_JSON}, {SEND_JSON}]", "", [FIND, SEND]),
    "Mistral, by name": (
        '[TOOL_CALLS]find[ARGS]{"q": "é"}[TOOL_CALLS]send[ARGS]{}',
        "",
        [FIND, SEND],
    ),
    "Mistral, with an id": ('Well.[TOOL_CALLS]find[CALL_ID]a1B2[ARGS]{"q": "é"}', "Well.", [FIND]),
    "Llama 3.1": (LLAMA, "", [FIND]),
    "Llama 3.1, tagged": (f"<|python_tag|>{LLAMA}; {SEND_JSON}", "", [FIND, SEND]),
    "a list": (f"[{FIND_JSON}]", "", [FIND]),
    "no JSON": ("<tool_call>{find}</tool_call>", "", [{"name": "", "arguments": "{find}"}]),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_call_is_read(name: str) -> None:
    text, beside, expected = FORMS[name]
    answer, _, calls = read_reply(text, TOOLS)
    assert answer == beside
    assert calls_json([{"tool_calls": [*calls]}]) == calls_json([{"tool_calls": expected}])
    if "think" not in text:
        assert read_reply(text) == (text, "", ())  # nobody offered a tool


@pytest.mark.parametrize(
    "text",
    ["", "find", '{"name": "delete", "arguments": {}}', '{"q": 1}', "[]", "{", '{"name": "find"',
     f"The call is {FIND_JSON}", '["find"]', "[1] says so"],
)  # fmt: skip
def test_other_text_is_no_call(text: str) -> None:
    assert read_reply(text, TOOLS) == (text, "", ())


@given(st.text())
def test_a_text_without_tools_stays_but_for_its_reasoning(text: str) -> None:
    assert read_reply(f"<think>hm</think>\n\n{text.lstrip()}") == (text.lstrip(), "hm", ())


@given(st.text())
def test_no_text_raises(text: str) -> None:
    for mark in ("", "<tool_call>", "[TOOL_CALLS]", "[TOOL_CALLS]a[ARGS]", "{", "<|python_tag|>"):
        answer, reasoning, calls = read_reply(mark + text, TOOLS)
        assert isinstance(answer, str)
        assert isinstance(reasoning, str)
        assert all(call.keys() == {"name", "arguments"} for call in calls)
