"""JSON in, JSON out: escapes, numbers and nesting survive redaction."""

import json
from typing import Any

import pytest
from dirty import CPF, EMAIL, KEY, row
from hypothesis import given
from hypothesis import strategies as st

from tunegate_checks.detect import api_keys
from tunegate_checks.detect.engine import personal_spans
from tunegate_checks.detect.rule import Span
from tunegate_checks.fix.redact import Redactor, is_json, json_pieces

TEXTS = (
    *(CPF, EMAIL, KEY, "telefone", "11987654321", f"e-mail:\n{EMAIL}", f'"{EMAIL}"', f"\\{EMAIL}"),
    *("josé@x.com", f"a\t{CPF}\u2028", "12345678", "call", "", "senha: Abc123!\\"),
)
texts = st.sampled_from(TEXTS) | st.text(max_size=4)
keys = st.sampled_from(["phone", "cpf", "a", "b", "número", EMAIL])
values = st.recursive(
    texts | st.sampled_from([11987654321, 52998224725, 1.5, -3, True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def redacted(text: str) -> str:
    return Redactor().redact_text(text)


def shape(value: Any) -> Any:
    """Return a JSON value's outline: what may not change but for numbers that became texts."""
    if isinstance(value, dict):
        return [shape(v) for v in value.values()]
    return [shape(v) for v in value] if isinstance(value, list) else None


@given(st.dictionaries(keys, values, max_size=4) | st.lists(values, max_size=4), st.booleans())
def test_json_stays_json_and_nothing_is_found(value: Any, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    new = text
    for _ in range(6):
        new = redacted(new)
    assert is_json(new)
    assert shape(json.loads(new)) == shape(value)
    assert personal_spans(new) == api_keys.key_spans(new) == []


def test_numbers_become_texts_and_the_rest_stays_as_it_was_written() -> None:
    text = '{"cpf": 52998224725,  "n": 1.50, "to": "jos\\u00e9: ana@x.com\\n"}'
    assert redacted(text) == '{"cpf": "[CPF_1]",  "n": 1.50, "to": "jos\\u00e9: [EMAIL_1]\\n"}'


def test_json_in_json() -> None:
    text = json.dumps({"arguments": json.dumps({"phone": 11987654321})})
    assert json.loads(json.loads(redacted(text))["arguments"]) == {"phone": "[PHONE_1]"}


def test_text_that_only_begins_like_json() -> None:
    assert not is_json("[x] hello")
    assert redacted(f"[x] {EMAIL}") == "[x] [EMAIL_1]"


@pytest.mark.parametrize("escape", ["\\n", "\\b", "\\f"])
def test_an_escape_is_no_part_of_a_value(escape: str) -> None:
    text = f'{{"a": "x{escape}ana@x.com"}}'
    assert Redactor().redact_text(text) == text.replace("ana@x.com", "[EMAIL_1]")
    assert Redactor(allow=["ana@x.com"]).redact_text(text) == text


@pytest.mark.parametrize(
    ("text", "redacted_text"),
    [
        (f"```json\n{{\"cpf\": 52998224725}}\n```\n{EMAIL}",
         '```json\n{"cpf": "[CPF_1]"}\n```\n[EMAIL_1]'),
        ('<tool_call>\n{"name": "call", "arguments": {"phone": 11987654321}}\n</tool_call>',
         '<tool_call>\n{"name": "call", "arguments": {"phone": "[PHONE_1]"}}\n</tool_call>'),
        ('{"cpf": 52998224725}\n{"cpf": 52998224725}', '{"cpf": "[CPF_1]"}\n{"cpf": "[CPF_1]"}'),
        (f"see [1] and {{x}}: {EMAIL}", "see [1] and {x}: [EMAIL_1]"),
        (f"def f():\n    return '{EMAIL}'\n", "def f():\n    return '[EMAIL_1]'\n"),
        (f"x = 1  # cpf {CPF}\n", "x = 1  # cpf [CPF_1]\n"),
    ],
)  # fmt: skip
def test_what_parsed_inside_a_text_still_does(text: str, redacted_text: str) -> None:
    assert redacted(text) == redacted_text


def test_python_that_no_placeholder_fits_is_left_for_a_person() -> None:
    code = "def of_52998224725(): return 1\n"

    class Named(Redactor):
        def find_spans(self, text: str, context: str = "") -> list[Span]:
            return [Span("cpf", 4, 18)] if text == code else []

    redactor = Named()
    assert redactor.redact_text(code) == code
    refusal = "messages[1] would no longer parse as Python"
    assert redactor.redact_row(row(code)) == (row(code), [], refusal)


@given(st.text('{[]}",: 1a\n', max_size=60))
def test_pieces_of_json_parse_and_do_not_overlap(text: str) -> None:
    end = 0
    for start, stop in json_pieces(text):
        assert end <= start < stop
        json.loads(text[start:stop])
        end = stop
