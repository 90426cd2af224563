"""How a value is shown in evidence; the rules themselves are tested through format."""

from typing import Any

import pytest

from tunegate_checks.data.format import format_json, tool_call_faults


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0.5, "0.5"),
        ("a\nb", '"a\\nb"'),
        ({}, "an object"),
        ([1], "an array"),
        ("x" * 99, '"' + "x" * 36 + "..."),
    ],
)
def test_a_value_is_shown_on_one_short_line(value: Any, text: str) -> None:
    assert format_json(value) == text


def test_the_old_function_call_is_checked_too() -> None:
    message = {"role": "assistant", "function_call": {"name": "f", "arguments": {}}}
    ((kind, evidence),) = tool_call_faults([message])
    assert kind == "arguments"
    assert evidence.startswith("messages[0].function_call.arguments is an object")
