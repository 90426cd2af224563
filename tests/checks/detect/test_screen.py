"""The search of texts that are shown: fast, and as sharp as that of the data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate_checks.detect.api_keys import sent_key_spans
from tunegate_checks.detect.engine import personal_spans
from tunegate_checks.detect.screen import find_private, may_hold_personal

SENTENCES = Path(__file__).parents[1] / "data" / "brazilian_sentences.jsonl"
WORDS = ("cpf ", "CNPJ ", "rg ", "placa ", "tel ", "IBAN ", "iban DE", "ip ", "mac ", "nascido em ")


def test_no_text_is_passed_over_that_holds_something() -> None:
    texts = [json.loads(line)["text"] for line in SENTENCES.read_text("utf-8").splitlines()]
    found = [text for text in texts if personal_spans(text)]
    assert len(found) > 400
    assert all(map(may_hold_personal, found))
    assert not may_hold_personal("repeats line 1234: “where is it”")


@given(st.sampled_from(WORDS), st.from_regex(r"[\dA-F.:/\- ]{4,40}", fullmatch=True))
def test_nor_is_a_number_beside_its_label(label: str, number: str) -> None:
    text = label + number
    assert may_hold_personal(text) or not personal_spans(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("amqp://:hunter22@mq/x", ":hunter22"),
        ("postgres://app:a@b:c@db/x", "app:a@b:c"),
        ("GET /v1?x=1&subscription-key=0f3c", "0f3c"),
        ("GET /v1?max_tokens=4096&monkey=wild", ""),
        ("GET /v1?x=1&sig=0f3c99", "0f3c99"),
        ("Bearer abc123", "abc123"),
        ("Bearer tokens are sent", ""),
        ('{"api-key": "0123abcd"}', "0123abcd"),
        ("see https://example.com/a?page=2&code=200", ""),
        ("key-value-pairs", ""),
    ],
)
def test_where_a_request_carries_a_key(text: str, value: str) -> None:
    found = [text[span.start : span.end] for span in sent_key_spans(text)]
    assert found == ([value] if value else [])


@given(st.text(), st.booleans())
def test_spans_lie_in_the_text(text: str, quotes: bool) -> None:
    for private in find_private(text, quotes):
        assert 0 <= private.start < private.end <= len(text)
