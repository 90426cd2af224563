"""A value that is found once is replaced wherever it stands, however it is written."""

import json
import re
from typing import Any

import pytest
from dirty import CPF, EMAIL, KEY, row
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate_checks.fix.redact import Redactor
from tunegate_checks.fix.values import KnownValues

# What is found by its label, and other writings of the same value, which have none.
WRITINGS = {
    f"CPF {CPF}": ("52998224725", "529 982 247 25", "529.982.247–25", "529-982-247-25",
                   "cpf52998224725"),
    "CPF 012.345.678-90": ("01234567890", "1234567890"),
    "telefone 11987654321": ("+55 (11) 98765-4321", "5511987654321", "011 98765 4321", "98765-4321",
                             "(11)98765-4321", "11\xa098765\u20114321"),
    "call +351 912 345 678": ("912345678", "00351912345678", "912-345-678"),
    "phone 415-555-2671": ("4155552671", "+1 (415) 555-2671", "14155552671"),
    "tel 06 12 34 56 78": ("+33 6 12 34 56 78", "0612345678"),
    "cartão 4111 1111 1111 1111": ("4111111111111111", "4111-1111-1111-1111"),
    "IBAN DE89 3704 0044 0532 0130 00": ("DE89370400440532013000", "de89-3704-0044-0532-0130-00"),
    "nasceu em 14/09/1987": ("1987-09-14", "14 de setembro de 1987", "September 14, 1987",
                             "14.9.87", "09/14/1987", "14 sept 1987", "14 septembre 1987",
                             "14. September 1987"),
    "placa ABC1D23 do carro": ("abc-1d23", "ABC 1D23"),
    f"mail {EMAIL}": ("ANA@CORREIO.COM.BR", "mailto:ana%40correio.com.br",
                     "ana\\u0040correio.com.br"),
    "senha: Xk29fkA8#": ("Xk29fkA8#", "(Xk29fkA8#)"),
    f"use {KEY}": (f"'{KEY}'",),
    "RG 12.345.678-9": ("123456789", "12345678-9"),
    "o PIN é 4821": ("4821.", "4821"),
}  # fmt: skip


def redacted(*rows: dict[str, Any], **how: Any) -> list[dict[str, Any]]:
    redactor = Redactor(**how)
    redactor.collect(rows)
    return [redactor.redact_row(fields).fields for fields in rows]


def reply(fields: dict[str, Any]) -> str:
    return str(fields["messages"][2]["content"])


@pytest.mark.parametrize("labelled", WRITINGS)
def test_every_writing_has_the_same_placeholder(labelled: str) -> None:
    for writing in WRITINGS[labelled]:
        (fields,) = redacted(row(labelled, f"É isso: {writing}"))
        (placeholder,) = re.findall(r"\[[A-Z_]+_\d+\]", str(fields["messages"][1]["content"]))
        left = reply(fields)
        assert placeholder in left, writing
        assert not re.search(r"\d{3}|correio|Xk29|ghp_", left.replace(placeholder, "")), left


@pytest.mark.parametrize(
    ("labelled", "other"),
    [
        ("senha: Abc1234#", "abc1234# Abc1234 Abc1234$"),
        ("o PIN é 4821", "R$ 4821 4821,50 14821 48211 3.4821"),
        (f"CPF {CPF}", "52998224726 1529982247 5299822472512"),
        ("telefone 11987654321", "1;1987654321 119876543 P1198765432 1,1987654321"),
        ("nasceu em 14/09/1987", "14/10/1987 2087 1987 14 de outubro de 1987"),
    ],
)
def test_another_value_stays(labelled: str, other: str) -> None:
    (fields,) = redacted(row(labelled, "ok", system=other))
    assert fields["messages"][0]["content"] == other


def test_arguments_of_a_call_fields_and_earlier_messages() -> None:
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": '{"v": 52998224725}'},
    }
    fields = row("52998224725?", f"CPF {CPF}", note=52998224725)
    fields["messages"].append({"role": "assistant", "content": None, "tool_calls": [call]})
    (new,) = redacted(fields)
    assert new["messages"][1]["content"] == "[CPF_1]?"
    assert new["messages"][3]["tool_calls"][0]["function"]["arguments"] == '{"v": "[CPF_1]"}'
    assert new["note"] == "[CPF_1]"


def test_other_rows_know_what_can_mean_nothing_else() -> None:
    rows = [
        row(f"CPF {CPF}, tel 11987654321, mail {EMAIL}, nasceu em 14/09/1987, RG 12.345.678-9"),
        row("senha: Xk29fkA8# tel 1234567890 cartão 4111111111111111"),
        row("52998224725 11987654321 4111-1111-1111-1111", "ok"),
        row("14/09/1987 123456789 Xk29fkA8# 1234567890 98765-4321", "ok"),
    ]
    *_, unique, shared = redacted(*rows)
    assert unique["messages"][1]["content"] == "[CPF_1] [PHONE_1] [CARD_1]"
    assert shared is rows[3]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Oi, MARIA DA SILVA!", ["MARIA DA SILVA"]),
        ("joao e Joa\u0303o", []),
        ("Olá, María da Silva e Maria", ["María da Silva", "Maria"]),
        ("a rosa de maria, uma silva", []),
        ("Maria-Clara Silva", ["Maria", "Silva"]),
        ("Marianne", []),
    ],
)
def test_names(text: str, found: list[str]) -> None:
    """In its row each word of a name is known where it is written large, in others the whole."""
    known, everywhere = KnownValues(), KnownValues()
    known.add("name", "Maria da Silva")
    everywhere.add("name", "Maria da Silva", only_unique=True)
    spans = sorted({(s.start, s.end) for s in known.spans(text)})
    outer = [a for a in spans if not any(b != a and b[0] <= a[0] and a[1] <= b[1] for b in spans)]
    assert [text[start:end] for start, end in outer] == found
    assert [text[s.start : s.end] for s in everywhere.spans(text)] == [f for f in found if " " in f]
    known.add("name", "Maria")
    assert known.value_of("name", "MARIA") == ("name", "mariadasilva")


def test_the_kind_of_a_value_does_not_hang_on_the_order_of_rows() -> None:
    rows = [row(f"CPF {CPF}"), row("telefone 52998224725"), row("52998224725")]
    assert redacted(*rows)[2] == redacted(*rows[::-1])[0]


def test_public_values_are_never_known() -> None:
    (fields,) = redacted(row(f"CPF {CPF} mail {EMAIL}", f"52998224725 {EMAIL}"), allow=[EMAIL])
    assert reply(fields) == f"[CPF_1] {EMAIL}"


LABELLED = sorted(WRITINGS)


@st.composite
def rows_of_values(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw rows in which some values are labelled, and others stand in any writing and place."""
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        known = draw(st.lists(st.sampled_from(LABELLED), max_size=3, unique=True))
        writings = [draw(st.sampled_from(WRITINGS[k])) for k in known]
        loose = draw(st.sampled_from(["", "52998224725", "o pedido 12345", "Rome is nice"]))
        said = draw(st.sampled_from(["{}", '{{"a": ["{}"]}}', '```json\n{{"k": "{}"}}\n```\nok']))
        value = " e ".join([*writings, loose])
        text = said.format(json.dumps(value)[1:-1] if "{" in said[1:] else value)
        rows.append(row(" ; ".join(known) or "x", text or "y", n=len(rows)))
    return rows


@settings(max_examples=40)
@given(rows_of_values(), st.randoms())
def test_the_laws_of_known_values(rows: list[dict[str, Any]], random: Any) -> None:
    new = redacted(*rows)
    for before, after in zip(rows, new, strict=True):
        text = re.sub(r"\[[A-Z_]+_\d+\]", "~", json.dumps(after, ensure_ascii=False))
        for labelled in LABELLED:
            if labelled in before["messages"][1]["content"]:
                for writing in WRITINGS[labelled]:
                    assert not re.search(rf"(?<!\w){re.escape(writing.strip('().'))}(?!\w)", text)
        try:
            parsed = isinstance(json.loads(reply(before)), dict)
        except ValueError:
            parsed = False
        assert not parsed or isinstance(json.loads(reply(after)), dict)
    # Once more changes nothing; what nothing was found in is the very same.
    assert all(a is b for a, b in zip(redacted(*new), new, strict=True))
    # The order of the rows decides numbers alone.
    shuffled = sorted(rows, key=lambda _: random.random())
    unnumbered = [re.sub(r"_\d+\]", "]", json.dumps(fields)) for fields in redacted(*shuffled)]
    assert sorted(unnumbered) == sorted(re.sub(r"_\d+\]", "]", json.dumps(f)) for f in new)


def test_a_key_makes_placeholders_that_do_not_hang_on_the_run() -> None:
    key = b"a secret of this project"
    rows = [row(f"CPF {CPF}"), row("tel +55 11 98765-4321")]
    one, two = redacted(*rows, key=key), redacted(*rows[::-1], key=key)[::-1]
    assert one == two
    assert one != redacted(*rows, key=b"another secret of it")
    assert re.fullmatch(r"CPF \[CPF_\d{12}\]", one[0]["messages"][1]["content"])
    # Numbers of a run without the key go on behind the numbers alone.
    assert Redactor([f"{one} [CPF_7]"]).placeholder("cpf", CPF) == "[CPF_8]"
