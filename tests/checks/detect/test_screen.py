"""The search of texts that are shown: fast, and as sharp as that of the data."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate_checks.detect.api_keys import sent_key_spans
from tunegate_checks.detect.screen import find_private

SENTENCES = Path(__file__).parents[1] / "data" / "brazilian_sentences.jsonl"
WORDS = ("cpf ", "CNPJ ", "rg ", "placa ", "tel ", "IBAN ", "iban DE", "ip ", "mac ", "nascido em ")


def test_a_quotation_hides_names_and_addresses_and_a_message_no_name() -> None:
    text = "the Sra. Maria Souza, Rua das Acácias, 12"
    assert [p.kind for p in find_private(text, quotes=True)] == ["name", "address"]
    assert [p.kind for p in find_private(text)] == ["address"]


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
