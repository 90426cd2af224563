"""Invent values of the same kind and format, so that extraction stays learnable.

Check digits are right. Where a range is reserved for documentation, tests or fiction, or given to
nobody, the value lies in it: example.org, 192.0.2.0/24, test cards, 555-01xx. Other invented
numbers may be somebody's by chance.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from random import Random

from ..detect.engine import RULES
from ..text.text_fields import squeeze
from .known_values import WORD, date_parts, find_month, is_exact, value_key

MAX_DRAWS = 5000  # one of a hundred numbers has two right check digits
_NAMES = """
    Ana Beatriz Bruno Caio Carla Clara Daniel Davi Elisa Emma Felipe Gabriel Helena Hugo Igor Irene
    Joana Julia Laura Leo Lucas Lucia Marcos Maria Marta Miguel Nina Olivia Oscar Paula Pedro Rafael
    / Almeida Alves Barbosa Barros Bennett Campos Cardoso Carter Castro Costa Dias Duarte Ferraz
    Fonseca Foster Garcia Gomes Harris Lima Lopes Martin Melo Mendes Moreira Moura Nunes Parker
    Pereira Pinto Ramos Reis Ribeiro Rocha Teixeira Turner Vieira"""
_FIRST_NAMES, _LAST_NAMES = (names.split() for names in _NAMES.split("/"))
_TEST_CARDS = {"2": "222300", "3": "378282", "4": "411111", "5": "555555", "6": "601111"}
_FICTIONAL_PHONES = {"44": "7700900", "33": "63998", "61": "491570"}  # by country code


@lru_cache(maxsize=10_000)
def invent(kind: str, value: str, seed: str, first: str) -> str:
    """Return the invented value of a seed, written as `value` is; "" where there is no such.

    `first` is the writing of the value by which the others go. Passwords and keys have no such:
    no model should learn to write them.
    """
    random = Random(f"{kind} {seed}")
    if kind == "email":
        name = f"{random.choice(_FIRST_NAMES)}.{random.choice(_LAST_NAMES)}".lower()
        return f"{name}{random.randint(10, 99)}@example.{random.choice(('com', 'org'))}"
    if kind == "birth_date":
        return _date(value, random)
    if kind == "name":
        return WORD.sub(lambda word: _name(word, random), value)
    for _ in range(0 if is_exact(kind) or kind == "address" else MAX_DRAWS):
        letters = _letters(kind, value_key(kind, first), first, random)
        if _is_valid(kind, _written_as(first, letters)):
            return _written_as(value, letters)
    return ""


def _letters(kind: str, key: str, value: str, random: Random) -> str:
    """Return random letters and digits in place of a value's, in a reserved range of the kind."""
    if kind == "ip" and ":" in key:
        return f"2001:db8::{random.randrange(1, 1 << 16):x}:{random.randrange(1, 1 << 16):x}"
    if kind == "ip":
        network = random.choice(("192.0.2", "198.51.100", "203.0.113"))
        return f"{network}.{random.randint(1, 254)}"
    new = [random.choice("0123456789" if c.isdecimal() else "abcdef") for c in key]
    if key[0].isdecimal():  # a number begins with 0 if the other does
        new[0] = random.choice("123456789") if key[0] != "0" else "0"
    start, reserved = 0, ""
    if kind in ("card", "mac", "cep", "us_ssn"):
        reserved = {"mac": "00005e0053", "cep": "00", "us_ssn": f"9{new[1]}{new[2]}0"}.get(
            kind, _TEST_CARDS.get(key[0], key[:6])
        )
    elif kind == "cnpj":
        start, reserved = 8, "0000"  # no branch has this number
    elif kind == "iban":
        start, reserved = 4, "".join("0" if c.isdecimal() else "x" for c in key[4:8])
        new[:2] = key[:2]
    elif kind in ("eu_vat", "es_nie", "fr_nir"):
        reserved = key[: 2 if kind == "eu_vat" else 1]
    elif kind == "phone":
        country = squeeze(value).removesuffix(key).lstrip("0")
        reserved = _FICTIONAL_PHONES.get(country, key[:2])
        if country in ("", "55") and len(key) == 11:
            reserved += "90"  # in Brazil the prefix of collect calls: no number begins with it
        elif country in ("", "1", "55") and len(key) == 10:
            reserved += random.choice("2345") + "55501"
    new[start : start + len(reserved)] = reserved
    return "".join(new)


def _written_as(value: str, letters: str) -> str:
    """Return letters and digits with the punctuation and the capitals of a value.

    They take the last places: what stands before them (+55) stays, and so does an extension.
    """
    if not letters.isalnum():
        return letters
    number = re.sub(r"\s*(?:x|ext\.?|ramal)\s*\d+$", "", value)
    rest, new = [*letters], ""
    for c in reversed(number):
        c_new = rest.pop() if rest and c.isalnum() else c
        new = (c_new.upper() if c.isupper() else c_new) + new
    return new + value[len(number) :]


def _is_valid(kind: str, value: str) -> bool:
    """Tell whether a value has the check digits of its kind."""
    rules = [rule for rule in RULES if rule.kind == kind and kind not in ("us_ssn", "phone")]
    return not rules or any(
        rule.valid(value)
        and (not rule.stdnum or import_module(f"stdnum.{rule.stdnum}").is_valid(value))
        for rule in rules
    )


def _date(value: str, random: Random) -> str:
    """Return an invented date in the format of a date; all forms of one date get one date.

    The smaller of day and month is replaced by the smaller, the larger by the larger.
    """
    _, low, high = date_parts(value)
    year = random.randint(1940, 2004)
    new_low, new_high = sorted(random.sample(range(1, 13), 2))
    new = {low: new_low, high: new_high if high < 13 else random.randint(13, 28)}
    is_first = re.match(r"\W*\d{4}", value) is not None

    def replace(word: re.Match[str]) -> str:
        if found := find_month(word[0]):
            names, month = found
            name = names[new[month] - 1]
            is_whole = len(word[0]) == len(names[month - 1])
            return _with_case_of(word[0], name if is_whole else name[: len(word[0])])
        if not word[0].isdecimal():
            return word[0]
        is_year = len(word[0]) == 4 or (not is_first and word.end() == len(value))
        number = str(year % 10 ** len(word[0]) if is_year else new[int(word[0])])
        return number.zfill(len(word[0]))

    return WORD.sub(replace, value)


def _name(word: re.Match[str], random: Random) -> str:
    """Return an invented name for a word of one; particles such as "da" and "van" stay."""
    new = random.choice(_LAST_NAMES if word.start() else _FIRST_NAMES)
    return word[0] if len(word[0]) < 4 and word[0].islower() else _with_case_of(word[0], new)


def _with_case_of(word: str, new: str) -> str:
    new = new.lower()
    return (
        new.upper()
        if len(word) > 1 and word.isupper()
        else new.title()
        if word[0].isupper()
        else new
    )
