"""Invented values are valid, of the same format, the same in all writings, and told as invented."""

import json
import re
from typing import Any

import pytest
from dirty import CPF, EMAIL, KEY, row
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.data.dataset import Dataset
from tunegate_checks.data import pii, secrets
from tunegate_checks.detect.engine import personal_spans
from tunegate_checks.fix.redact import Redactor
from tunegate_checks.fix.values import invent

VALUES = {
    "cpf": ("CPF", CPF, "52998224725"),
    "cnpj": ("CNPJ", "11.222.333/0001-81", "11222333000181"),
    "phone": ("telefone", "+55 (11) 98765-4321", "11987654321"),
    "card": ("cartão", "5555 5555 5555 4444", "5555555555554444"),
    "iban": ("IBAN", "GB29 NWBK 6016 1331 9268 19", "GB29NWBK60161331926819"),
    "birth_date": ("nasceu em", "14/09/1987", "14 de setembro de 1987"),
    "email": ("mail", EMAIL, EMAIL.upper()),
    "ip": ("ip", "10.20.30.40", "10.20.30.40"),
    "mac": ("MAC", "3C:1A:2B:3C:4D:5E", "3c-1a-2b-3c-4d-5e"),
    "voter_id": ("título de eleitor", "1023 8501 0671", "102385010671"),
    "pis": ("PIS", "120.56874.10-7", "12056874107"),
    "us_ssn": ("SSN", "536-22-8726", "536-22-8726"),
    "plate": ("placa", "ABC1D23", "ABC-1D23"),
    "cep": ("CEP", "01310-100", "01310100"),
    "rg": ("RG", "12.345.678-9", "12345678-9"),
    "es_dni": ("DNI", "12345678Z", "12345678-Z"),
    "it_codicefiscale": ("codice fiscale", "RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    "fr_nir": ("NIR", "2 95 10 99 126 111 93", "2 95 10 99 126 111 93"),
    "de_idnr": ("IdNr", "36 574 261 809", "36574261809"),
}


def redacted(*rows: dict[str, Any], **how: Any) -> list[dict[str, Any]]:
    redactor = Redactor(surrogates=True, **how)
    redactor.collect(rows)
    return [redactor.redact_row(fields).fields for fields in rows]


def shape(text: str) -> str:
    return re.sub(r"[A-Z]", "A", re.sub(r"[a-z]", "a", re.sub(r"\d", "9", text)))


@pytest.mark.parametrize("kind", VALUES)
def test_values_are_valid_and_of_the_same_format(kind: str) -> None:
    label, one, other = VALUES[kind]
    text = f"{label} {one}"
    (fields,) = redacted(row(text, f"{label} {other}"))
    asked, said = (str(fields["messages"][i]["content"]) for i in (1, 2))
    assert one not in asked
    assert other not in said
    assert [s.kind for s in personal_spans(asked)] == [s.kind for s in personal_spans(text)]
    if kind not in ("email", "birth_date", "ip", "mac"):
        assert shape(asked) == shape(text)
        letters = [re.sub(r"\W", "", t.removeprefix(label)).lower() for t in (asked, said)]
        assert letters[0].endswith(letters[1])
    result = Dataset.of([fields])
    assert not pii.find(result, surrogates=True)
    assert pii.find(result, surrogates=True).hints
    assert redacted(fields, believes_rows=True)[0] is fields


RESERVED = {
    "cnpj": r".*/0000-\d\d", "card": r"5555 55.*", "iban": r"GB\d\d [A-Z]{4} .*",
    "mac": r"00:00:5E:00:53:..",
    "email": r"[a-z]+\.[a-z]+@example\.(com|org)", "us_ssn": r"9\d\d-0\d-\d{4}",
    "cep": r"00\d{3}-\d{3}",
    "ip": r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+", "phone": r"\+55 \(11\) 90\d{3}-\d{4}",
}  # fmt: skip


@pytest.mark.parametrize("kind", RESERVED)
def test_reserved_ranges(kind: str) -> None:
    value = VALUES[kind][1]
    assert re.fullmatch(RESERVED[kind], invent(kind, value, "[X_1] 0", value))


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("415-555-2671", r"41\d-555-01\d\d"),
        ("+44 7911 123456", r"\+44 7700 900\d{3}"),
        ("+33 6 12 34 56 78", r"\+33 6 39 98 \d\d \d\d"),
        ("+351 912 345 678", r"\+351 91\d \d{3} \d{3}"),
        ("415-555-2671 x123", r"41\d-555-01\d\d x123"),
    ],
)
def test_phones_of_a_country_stay_in_it(value: str, pattern: str) -> None:
    assert re.fullmatch(pattern, invent("phone", value, "1", value))


def test_dates_of_one_value_agree_in_every_form() -> None:
    forms = "1987-02-03", "03/02/1987", "3 de fevereiro de 1987", "February 3, 1987", "3 FEV 87"
    first = forms[1]
    for n in range(20):
        iso, dmy, pt, en, short = (invent("birth_date", form, str(n), first) for form in forms)
        year, month, day = iso.split("-")
        assert dmy == f"{day}/{month}/{year}"
        assert re.fullmatch(rf"{int(day)} de [a-zç]+ de {year}", pt)
        assert re.fullmatch(rf"[A-Z][a-z]+ {int(day)}, {year}", en)
        assert re.fullmatch(rf"{int(day)} [A-Z]{{3}} {year[2:]}", short)


def test_names_keep_their_particles_and_capitals() -> None:
    new = invent("name", "Maria da SILVA", "1", "Maria da SILVA")
    assert re.fullmatch(r"[A-Z][a-z]+ da [A-Z]+", new)
    assert "Maria" not in new
    assert invent("name", "MARIA DA SILVA", "1", "Maria da SILVA") == new.upper()


def test_passwords_and_keys_stay_placeholders() -> None:
    (fields,) = redacted(row(f"senha: Xk29fkA8# {KEY}", "ok"))
    assert fields["messages"][1]["content"] == "senha: [PASSWORD_1] [GITHUB_TOKEN_1]"
    assert "surrogates" not in fields


def test_numbers_stay_numbers() -> None:
    (fields,) = redacted(row(f"CPF {CPF}", '{"v": 52998224725}', n=52998224725))
    assert isinstance(json.loads(fields["messages"][2]["content"])["v"], int)
    assert isinstance(fields["n"], int)


def test_only_what_the_row_lists_is_let_stand() -> None:
    (fields,) = redacted(row(f"CPF {CPF}"))
    other = row(f"CPF {CPF}", surrogates=fields["surrogates"])
    for unlisted in (other, {**fields, "surrogates": "all"}):
        found = pii.find(Dataset.of([unlisted]), surrogates=True)
        assert [f.kind for f in found] == ["cpf"]


def test_a_row_is_believed_only_where_the_configuration_says_so() -> None:
    key = "sk-proj-" + "a8Kd02Lq9ZxW7vT3" * 4
    listing = row(f"CPF {CPF} e {key}", surrogates=[CPF, key])
    assert "cpf" in {f.kind for f in pii.find(Dataset.of([listing]))}
    assert not pii.find(Dataset.of([listing]), surrogates=True)
    for fields in redacted(listing), redacted(listing, believes_rows=True):
        assert key not in json.dumps(fields)
    assert CPF not in json.dumps(redacted(listing))
    assert CPF in json.dumps(redacted(listing, believes_rows=True))


def test_a_later_run_gives_no_value_what_another_has() -> None:
    (first,) = redacted(row(f"CPF {CPF}"))
    again, second = redacted(first, row("CPF 111.444.777-35"), believes_rows=True)
    assert again is first
    assert set(second["surrogates"]).isdisjoint(first["surrogates"])


def test_a_field_of_that_name_that_is_no_list_stays() -> None:
    (fields,) = redacted(row(f"CPF {CPF}", surrogates={"my": "own"}))
    assert fields["surrogates"] == {"my": "own"}
    assert fields["messages"][1]["content"] == "CPF [CPF_1]"


def test_the_same_in_every_run_with_a_key() -> None:
    rows = [row(f"CPF {CPF}"), row("mail bia@loja.com.br"), row(f"mail {EMAIL}")]
    key = b"a secret of this project"
    assert redacted(*rows, key=key) == redacted(*rows[::-1], key=key)[::-1]
    assert redacted(*rows, key=key) != redacted(*rows, key=b"another secret of it")


@settings(max_examples=25)
@given(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4, unique=True))
def test_nothing_is_left_and_no_two_values_share_one(kinds: list[str]) -> None:
    rows = [row(" ; ".join(" ".join(VALUES[k][:2]) for k in kinds), "ok")]
    rows += [row(f"mail m{n}@loja.com.br", f'{{"cpf": "{VALUES["cpf"][2]}"}}') for n in range(3)]
    new = redacted(*rows)
    text = json.dumps(new, ensure_ascii=False)
    assert not any(value in text for k in (*kinds, "cpf") for value in VALUES[k][1:])
    assert len({fields["messages"][1]["content"] for fields in new}) == len(rows)
    assert not pii.find(Dataset.of(new), surrogates=True)
    assert not secrets.find(Dataset.of(new))
    again = redacted(*new, believes_rows=True)
    assert all(a is b for a, b in zip(again, new, strict=True))
