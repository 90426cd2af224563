"""Redacted rows hold nothing that the checks find, and what JSON was is JSON."""

import json
from typing import Any

from dirty import CPF, EMAIL, KEY, row
from hypothesis import given
from hypothesis import strategies as st

from tunegate.data.dataset import Dataset
from tunegate_checks.data import pii, secrets
from tunegate_checks.fix.redact import Redactor

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg12345\n-----END PRIVATE KEY-----"
PIECES = (
    *(CPF, "cpf 52998224725", EMAIL, "telefone", "(11) 98765-4321", "+1 415-555-2671", "12345678"),
    *(
        "senha: Abc1234!",
        "https://ana:s3cret1@x.com",
        KEY,
        PEM,
        "pedido",
        "192.168.7.33",
        "\\",
        '"',
    ),
    *(
        "nasci em 01/02/1990",
        "cartão 4111 1111 1111 1111",
        "\n",
        "\u2028",
        "é",
        "[EMAIL_1]",
        "{",
        "-",
    ),
)
texts = st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join)


def redacted(fields: dict[str, Any], **how: Any) -> dict[str, Any]:
    return Redactor(["[EMAIL_1]"], **how).redact_row(fields)[0]


def said(text: str, **how: Any) -> str:
    return str(redacted(row(text), **how)["messages"][1]["content"])


def test_values_become_typed_placeholders() -> None:
    assert said(f"Meu CPF é {CPF}, e-mail {EMAIL}. O CPF 52998224725 é meu.") == (
        "Meu CPF é [CPF_1], e-mail [EMAIL_2]. O CPF [CPF_1] é meu."
    )
    assert said(f"use {KEY}\n{PEM}") == "use [GITHUB_TOKEN_1]\n[PRIVATE_KEY_1]"


def test_what_only_looks_random_and_what_is_public_stays() -> None:
    hint = "token = q8Zx7Lm2Vw4Rt9Kp1Nd6"
    assert said(hint) == hint
    assert said(EMAIL, allow=["@correio.com.br"]) == said(EMAIL, ignore=["email"]) == EMAIL


def test_every_part_of_a_row() -> None:
    parts = [{"type": "text", "text": EMAIL}, {"type": "image_url", "image_url": {"url": "data:a"}}]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    arguments = json.dumps({"to": EMAIL, "cpf": 52998224725})
    call["function"] = {"name": "f", "arguments": arguments}
    messages = [
        {"role": "system", "content": f"Ask {EMAIL}"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    new = redacted({"messages": messages, "phone": 11987654321, "meta": {"mail": [EMAIL]}})
    system, user, reply = new["messages"]
    assert system["content"] == "Ask [EMAIL_2]"
    assert [p.get("text") for p in user["content"]] == ["[EMAIL_2]", None]
    told = json.loads(reply["tool_calls"][0]["function"]["arguments"])
    assert told == {"to": "[EMAIL_2]", "cpf": "[CPF_1]"}
    assert (new["phone"], new["meta"]) == ("[PHONE_1]", {"mail": ["[EMAIL_2]"]})
    assert parts[0]["text"] == EMAIL  # what was given is left as it was


def test_a_clean_row_is_the_very_same() -> None:
    fields = row("Where is my parcel? Order 12345678.", meta={"n": 1.5, "k": [None, True]})
    assert redacted(fields) is fields


@given(texts, texts, texts, texts)
def test_nothing_is_found_after_it(system: str, asked: str, reply: str, field: str) -> None:
    fields = row(asked or "x", reply or "y", system=system, note=field)
    new = redacted(fields)
    result = Dataset.of([new])
    assert list(pii.find(result)) == []
    assert list(secrets.find(result)) == []
    assert redacted(new) is new
