"""Invent values of the same kind and format, so that extraction stays learnable.

Check digits are right. Where a range is reserved for documentation, tests or fiction, or given to
nobody, the value lies in it. Other invented numbers may be somebody's by chance.
"""

import re
from functools import lru_cache
from random import Random
from string import ascii_lowercase, digits

from ..detect.engine import holds, plain
from ..detect.rules import RULES
from ..text.text_fields import squeeze
from .known_values import EXTENSION, WORD, date_parts, find_month, is_exact, value_key

MAX_DRAWS = 5000  # one of a hundred numbers has two right check digits
# How invented values begin: "=" is kept, "?" is random, "~" begins a number of Brazil.
_BEGINNINGS = {
    **{"cnpj": "????????0000", "iban": "==??0000", "us_ssn": "9??0", "cep": "00"},
    **{"mac": "00005e0053", "eu_vat": "==", "es_nie": "=", "fr_nir": "="},
    **{"card 2": "222300", "card 3": "378282", "card 4": "411111", "card 5": "555555"},
    # By country code, or by length where there is none. 90 is a prefix of calls in Brazil.
    **{"phone 44": "7700900", "phone 33": "63998", "phone 61": "491570"},
    **{"phone of 11": "==90", "phone of 10": "==~55501", "phone": "=="},
}
_PARTICLE = re.compile("d[aeiou]s?|de[lr]|e|la|le|van|von|y", re.IGNORECASE)


@lru_cache(maxsize=10_000)
def invent(kind: str, value: str, seed: str, first: str) -> str:
    """Return the invented value of a seed, written as `value` is; "" where there is none.

    `first` is the writing of the value by which the others go. Passwords and keys have none, since
    no model should learn to write them.
    """
    random = Random(f"{kind} {seed}")
    if kind == "email":
        return f"{_name(random)}.{_name(random)}@example.{random.choice(('com', 'org'))}"
    if kind == "birth_date":
        return _date(value, random)
    if kind == "name":
        return WORD.sub(lambda word: _name_for(word, random), value)
    for _ in range(0 if is_exact(kind) or kind == "address" else MAX_DRAWS):
        letters = _letters(kind, value_key(kind, first), first, random)
        if _is_valid(kind, _written_as(first, letters)):
            return _written_as(value, letters)
    return ""


def _letters(kind: str, key: str, value: str, random: Random) -> str:
    """Return random letters and digits in place of a value's, in a reserved range of the kind."""
    if kind == "ip":
        network = random.choice(("192.0.2", "198.51.100", "203.0.113"))
        is_v6, number = ":" in key, random.randrange(1, 255)
        return f"2001:db8::{number:x}:{random.randrange(9999)}" if is_v6 else f"{network}.{number}"
    alphabet = "abcdef" if kind in ("mac", "pix_key") else ascii_lowercase
    new = [random.choice(digits if c.isdecimal() else alphabet) for c in key]
    if key[0].isdecimal():  # a number begins with 0 if the other does
        new[0] = random.choice("123456789") if key[0] != "0" else "0"
    name = f"card {key[0]}" if kind == "card" else kind
    if kind == "phone":
        country = squeeze(EXTENSION.sub("", value)).removesuffix(key).lstrip("0")
        name = f"phone of {len(key)}" if country in ("", "1", "55") else f"phone {country}"
    beginning = _BEGINNINGS.get(name) or _BEGINNINGS.get(kind, "")
    for i, c in enumerate(beginning[: len(key)]):
        if c != "?" and (key[i].isdecimal() or kind != "iban" or c == "="):
            new[i] = {"=": key[i], "~": random.choice("2345")}.get(c, c)
    return "".join(new)


def _written_as(value: str, letters: str) -> str:
    """Return letters and digits with the punctuation and the capitals of a value.

    They take the last places: what stands before them (+55) stays, and so does an extension.
    """
    if not letters.isalnum():
        return letters
    number = EXTENSION.sub("", value)
    rest, new = [*letters], ""
    for c in reversed(number):
        new = (_like(c, rest.pop()) if rest and c.isalnum() else c) + new
    return new + value[len(number) :]


def _is_valid(kind: str, value: str) -> bool:
    """Tell whether a value has the form and the check digits of its kind."""
    value = plain(value)
    rules = (r for r in RULES if r.kind == kind and re.fullmatch(r.pattern, value, re.IGNORECASE))
    return kind in ("us_ssn", "phone") or any(holds(rule, value) for rule in rules)


def _date(value: str, random: Random) -> str:
    """Return an invented date in the format of a date; all forms of one date get one date.

    The smaller of day and month is replaced by the smaller, the larger by the larger.
    """
    _, low, high = date_parts(value)
    year, days = random.randint(1940, 2004), random.randint(13, 28)
    new_low, new_high = sorted(random.sample(range(1, 13), 2))
    new = {low: new_low, high: new_high if high < 13 else days}
    begins_with_year = re.match(r"\W*\d{4}", value) is not None

    def replace(word: re.Match[str]) -> str:
        if found := find_month(word[0]):
            names, month = found
            is_whole = len(word[0]) == len(names[month - 1])
            name = names[new[month] - 1]
            return _like(word[0], name if is_whole else name[: len(word[0])])
        if not word[0].isdecimal():
            return word[0]
        is_year = len(word[0]) == 4 or (not begins_with_year and word.end() == len(value))
        number = year % 10 ** len(word[0]) if is_year else new[int(word[0])]
        return f"{number:0{len(word[0])}}"

    return WORD.sub(replace, value)


def _name(random: Random) -> str:
    """Return an invented name, which hardly anyone has."""
    return "".join(random.choice("bcdfglmnrstv") + random.choice("aeiou") for _ in range(3))


def _name_for(word: re.Match[str], random: Random) -> str:
    """Return an invented word for one of a name; particles stay."""
    is_particle = word.start() and _PARTICLE.fullmatch(word[0])
    return word[0] if is_particle else _like(word[0], _name(random))


def _like(word: str, new: str) -> str:
    """Return an invented word with the capitals of a word."""
    return new.upper() if word.isupper() else new.title() if word[0].isupper() else new
