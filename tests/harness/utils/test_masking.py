"""The one door: what passes it can be printed, committed and sent to somebody."""

from __future__ import annotations

import io
import sys
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tunegate.utils import masking
from tunegate.utils.masking import blank, hide_values, let_through, mask, masked_output

KEY = "gsk" + "_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 2
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail ana.silva@loja.com.br", "mail a***@l***.br"),
        ("CPF 529.982.247-25", "CPF ***.***.***-25"),
        (f"key {KEY}", "key gsk_***"),
        ("postgres://app:p@ssW0rd99@db/x", "postgres://***@db/x"),
        ("http://h/v1?v=2024&key=abc123", "http://h/v1?v=2024&key=***"),
        ("u=http%3A%2F%2Fh%3Fapi_key%3Dabc123&x=1", "u=http%3A%2F%2Fh%3Fapi_key%3D***&x=1"),
        ("Authorization: Basic YW5hOnNlbmhh", "Authorization: Basic ***"),
        ("'x-api-key': 'abcdef'", "'x-api-key': '***'"),
        ("no connection to http://192.168.7.20:8000/v1", "no connection to http://192.168.7.20:8000/v1"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("a\tb\r\nc", "a\tb\r\nc"),
        ("tokenizer: Qwen/Qwen2.5-0.5B-Instruct", "tokenizer: Qwen/Qwen2.5-0.5B-Instruct"),
    ],
)  # fmt: skip
def test_what_is_shown(text: str, shown: str) -> None:
    assert mask(text) == shown
    assert mask(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("“52998224725 is his”", "“*********25 is his”"),
        ("“reach me on 11 98765 4321 or”", "“reach me on ** ***** **21 or”"),
        ("“write to ana.silva@loj…”", "“write to ***…”"),
        ("“…9822472 or sk-aB3dE6gH…”", "“…*** or ***…”"),
        ("'...va@loja.com' and '+55 11 9876...'", "'...***' and '***...'"),
        ("made 1987-09-14, loss 0.12345678", "made 1987-09-14, loss 0.12345678"),
        ("repeats line 12345: “where is it”", "repeats line 12345: “where is it”"),
        ("aB3dE6gH9jK2mN5pQ8sT", "***"),
        (f"“{PEM}…”", "“-----BEGIN***…”"),
    ],
)
def test_a_quotation_has_lost_the_words_around_a_value(text: str, shown: str) -> None:
    assert mask(text, quotes=True) == shown


@given(st.binary())
@example(b"\xcf\xea\xd9\x86\x94\x97\x14\x13a")  # an id with the form of an identity card
def test_digests_and_ids_stay(content: bytes) -> None:
    digest = sha256(content).hexdigest()
    line = f"run {digest[:12]}, receipt {digest}, 12,345,678 tokens, 2026-11-29T23:20:52+00:00"
    assert mask(line) == line


@given(st.text())
def test_the_door_can_be_passed_twice(text: str) -> None:
    once = mask(text)
    assert mask(once) == once
    assert len(blank(text)) == len(text)


def test_what_the_project_lets_through() -> None:
    text = "vendas@loja.com.br, ana@x.com.br, CNPJ 11.222.333/0001-81, 11222333000181"
    with let_through(["cnpj"], ["@loja.com.br"]):
        assert mask(text, quotes=True) == text.replace("ana@x.com.br", "***@x***.br")
    assert "vendas" not in mask(text)
    assert "11.222" not in mask(text)


def test_the_keys_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN_SERVER", "unusual-word-4711")
    assert mask("unusual-word-4711") == "unusual-word-4711"
    monkeypatch.setenv("OWN_SERVER_TOKEN", "unusual-word-4711")
    assert mask("it says unusual-word-4711!") == "it says ***!"
    monkeypatch.delenv("OWN_SERVER_TOKEN")
    assert mask("unusual-word-4711") == "unusual-word-4711"
    monkeypatch.setattr(masking, "_keys", {"unusual-word-4711"})
    assert mask("unusual word 4711") == "***"


def test_values_of_json_keep_their_control_characters() -> None:
    row = {"messages": [{"content": "mail ana@loja.com.br\x1b", "weight": 1}], "line": 3}
    assert hide_values(row) == {
        "messages": [{"content": "mail ***@l***.br\x1b", "weight": 1}],
        "line": 3,
    }


def test_what_a_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with masked_output():
        print("\x1b[31mred\x1b[0m ana@loja.com.br \x1b[2J")
        with masked_output():  # once is enough
            print(f"key {KEY}", file=sys.stdout)
    print("after ana@loja.com.br")
    shown = "\x1b[31mred\x1b[0m ***@l***.br \\x1b[2J\nkey gsk_***\nafter ana@loja.com.br\n"
    assert out.getvalue() == shown
