"""Values of personal data: how they are written, where known ones stand, and invented ones.

A value that was found once is known by its letters and digits, without a label: "CPF
168.995.350-09" in a question is 16899535009 in the reply. Invented values keep kind and format, so
that extraction stays learnable; check digits are right. Where a range is kept for documentation,
tests or fiction, or given to nobody, they lie in it; others may be somebody's by chance.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from random import Random
from string import ascii_lowercase, digits

from ..detect.engine import KINDS, decoded, holds, plain
from ..detect.rule import NUMBER, Span, read_toml
from ..detect.rules import RULES
from ..text.text_fields import squeeze

# Kinds of which two persons can have the same value: it says nothing about other rows.
_SHARED_KINDS = frozenset(("birth_date", "cep", "password"))
_TABLES = read_toml(__file__)
MONTHS = tuple(names.split() for names in _TABLES["months"])
EXTENSION = re.compile(r"\s*(?:x|ext\.?|ramal)\s*\d+$")  # of a telephone number
WORD = re.compile(r"\d+|[^\W\d_]+")
_PART = r"(?:\d{1,4}|[^\W\d_]{3,10})(?:º|st|nd|rd|th)?"  # of a date
_DATE = re.compile(
    rf"(?<![\w/.\-])(?=({_PART}(?:[ ./,\-]{{1,2}}(?:de |of )?{_PART}){{2}})(?![\w/]))"
)
_AT = re.compile(r" ?(?:\[at\]|\(at\)| arroba ) ?")
_DOT = re.compile(r" ?(?:\[dot\]|\(dot\)| ponto ) ?")
_HEAD = 4  # letters and digits; no shorter value is looked for
# What no value but an exact one has between two groups: more than "-(0)", or the end of a cell.
_GAP = re.compile(r"[\W_]{5}|[;|\t\n\"]|,(?! )")
_LONE_NUMBER = re.compile(NUMBER % r"\d+")
MAX_DRAWS = 5000  # one of a hundred numbers has two right check digits
_PARTICLE = re.compile("d[aeiou]s?|de[lr]|e|la|le|van|von|y", re.IGNORECASE)


def is_exact(kind: str) -> bool:
    """Tell whether case and punctuation belong to a value: to a password, to a key."""
    return kind in ("password", "url_credentials", "wallet") or kind not in (*KINDS, "name")


def value_key(kind: str, value: str) -> str:
    """Return what all writings of one value share: the digits of a CPF, an e-mail address."""
    if kind == "email":
        return _DOT.sub(".", _AT.sub("@", value.lower())).replace(" ", "")
    if kind == "phone":
        return national_number(value)
    if kind == "birth_date":
        return "-".join(f"{part:02}" for part in date_parts(value))
    if kind == "ip":
        return value.lower()
    return value if is_exact(kind) else squeeze(value)


def national_number(value: str) -> str:
    """Return the digits of a telephone number without country code, trunk prefix and extension."""
    import phonenumbers

    digits = squeeze(EXTENSION.sub("", value.lower()))
    if re.match(r"\(?(?:\+|00)", value):
        try:
            return str(phonenumbers.parse("+" + digits.removeprefix("00")).national_number)
        except phonenumbers.NumberParseException:
            return digits
    if len(digits) in (12, 13):
        return digits.removeprefix("55")
    return digits.removeprefix("1" if re.match(r"1[ .\-(]+\d{3}\D", value) else "0")


def date_parts(value: str) -> tuple[int, int, int]:
    """Return the last two digits of a date's year, the smaller of day and month, and the larger."""
    words = WORD.findall(value)
    numbers = [word for word in words if word.isdecimal()] or ["0"]
    year = next((n for n in numbers if len(n) == 4), numbers[-1])
    numbers.remove(year)
    months = [found[1] for found in map(find_month, words) if found]
    # Nothing says which of two small numbers is the month: both readings have one key.
    low, high = sorted([*months, *map(int, numbers), 0, 0][:2])
    return int(year) % 100, low, high


def find_month(word: str) -> tuple[list[str], int] | None:
    """Return the months of the language in which a word is one, and which; None for no month."""
    for names in MONTHS:
        for number, name in enumerate(names, start=1):
            if len(word) > 2 and squeeze(name).startswith(squeeze(word)):
                return names, number
    return None


def spellings(kind: str, value: str) -> Iterator[str]:
    """Yield the letters and digits of each way to write a value that is no date."""
    key = value_key(kind, value)
    yield squeeze(key)
    if kind == "phone":
        yield from (squeeze(value), f"00{squeeze(value)}", f"0{key}", f"55{key}", f"1{key}")
        yield key[2:] if len(key) in (10, 11) else key  # in Brazil, without area code
    if kind == "name":
        yield from (squeeze(word) for word in value.split())
    if not is_exact(kind) and key.isdecimal():
        yield key.lstrip("0")  # as a number


def is_unique(kind: str, value: str, spelling: str) -> bool:
    """Tell whether a value is so rare that in other rows too the same letters mean it."""
    if kind in _SHARED_KINDS or (kind == "name" and spelling in map(squeeze, value.split())):
        return False
    is_counting = len(set(spelling)) < 4 or spelling in "0123456789" * 2
    return len(spelling) > (9 if spelling.isdecimal() else 7) and not is_counting


class KnownValues:
    """Values that are known, by their spellings, and where these stand in a text."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, str]] = {}  # kind and key by spelling
        self._lengths: dict[str, set[int]] = {}  # of the spellings that begin with the same head
        self._dates: set[str] = set()

    def add(self, kind: str, value: str, only_unique: bool = False) -> None:
        """Take note of a value; with `only_unique`, of spellings that mean nothing else."""
        key = value_key(kind, value)
        if kind == "birth_date":
            self._dates |= set() if only_unique else {key}
            return
        for spelling in spellings(kind, value):
            if len(spelling) >= _HEAD and (not only_unique or is_unique(kind, value, spelling)):
                others = self._values.get(spelling, (kind, key))
                # Of a part of two values the longer, whichever row comes first.
                self._values[spelling] = max((kind, key), others, key=lambda v: (len(v[1]), v))
                self._lengths.setdefault(spelling[:_HEAD], set()).add(len(spelling))

    def value_of(self, kind: str, value: str) -> tuple[str, str] | None:
        """Return kind and key of the known number or name of which a value may be a part."""
        known = self._values.get(squeeze(value))
        can_be_part = known and known[0] == kind and (known[1].isdecimal() or kind == "name")
        return known if can_be_part else None

    def spans(self, text: str) -> list[Span]:
        """Return where known values stand in a text; they can overlap."""
        if not self._values and not self._dates:
            return []
        found: list[Span] = []
        text, places, letters, firsts = _letters_of(text)
        for match in _DATE.finditer(plain(text)) if self._dates else ():
            if value_key("birth_date", match[1]) in self._dates:
                found.append(Span("birth_date", *match.span(1)))
        hits = [i for i, a in enumerate(firsts) if letters[a : a + _HEAD] in self._lengths]
        words = [*WORD.finditer(text)] if hits else []
        ends = {firsts[i + 1]: word.end() for i, word in enumerate(words)}
        for i in hits:
            for length in self._lengths[letters[firsts[i] : firsts[i] + _HEAD]]:
                value = self._values.get(letters[firsts[i] : firsts[i] + length])
                end = ends.get(firsts[i] + length)
                if value and end:
                    found += as_written(text, words[i].start(), end, *value)
        return [Span(s.kind, places[s.start], places[s.end]) for s in found]


@lru_cache(maxsize=16)
def _letters_of(text: str) -> tuple[str, Sequence[int], str, list[int]]:
    """Return a text without escapes and its places, its letters, and where each word begins."""
    text, places = decoded(text)
    words = WORD.findall(text.lower()) if text.isascii() else [*map(squeeze, WORD.findall(text))]
    return text, places, "".join(words), [0, *accumulate(map(len, words))]


def as_written(text: str, start: int, end: int, kind: str, key: str) -> Iterator[Span]:
    """Yield the span of a value whose letters and digits stand in text[start:end].

    Yield none where they are another value: a.b@c.com is not ab@c.com, 1234 is no part of 1234.56.
    """
    if kind in ("email", "ip") or is_exact(kind):  # signs belong to it, also at its ends
        words = [*WORD.finditer(key)]
        start, end = max(start - words[0].start(), 0), end + len(key) - words[-1].end()
        if value_key(kind, text[start:end]) != key:
            return
    elif _GAP.search(text, start, end):
        return
    if kind == "phone":
        if text[start - 1 : start].isalpha() and start:
            return  # P1; 98765-4321
        start -= text[start - 1 : start] == "(" and ")" in text[start:end]
        start -= text[start - 1 : start] == "+"
    value = text[start:end]
    is_part = len(value) < 7 and value.isdecimal() and not _LONE_NUMBER.match(text, start)
    if not is_part and not (kind == "name" and value.isalpha() and value.islower()):
        yield Span(kind, start, end)


@lru_cache(maxsize=10_000)
def invent(kind: str, value: str, seed: str, first: str) -> str:
    """Return the invented value of a seed, written as `value` is; "" where there is none.

    `first` is the value as first written. Passwords and keys have none: no model should learn them.
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
    beginning = _TABLES["beginnings"].get(name) or _TABLES["beginnings"].get(kind, "")
    for i, c in enumerate(beginning[: len(key)]):
        if c != "?" and (key[i].isdecimal() or kind != "iban" or c == "="):
            new[i] = {"=": key[i], "~": random.choice("2345")}.get(c, c)
    return "".join(new)


def _written_as(value: str, letters: str) -> str:
    """Return letters and digits with the punctuation and the capitals of a value."""
    if not letters.isalnum():
        return letters
    number = EXTENSION.sub("", value)
    rest, new = [*letters], ""
    # From the end: what stands before them (+55) stays, and so does an extension.
    for c in reversed(number):
        new = (_like(c, rest.pop()) if rest and c.isalnum() else c) + new
    return new + value[len(number) :]


def _is_valid(kind: str, value: str) -> bool:
    """Tell whether a value has the form and the check digits of its kind."""
    value = plain(value)
    rules = (r for r in RULES if r.kind == kind and re.fullmatch(r.pattern, value, re.IGNORECASE))
    return kind in ("us_ssn", "phone") or any(holds(rule, value) for rule in rules)


def _date(value: str, random: Random) -> str:
    """Return an invented date in the format of a date; all forms of one date get one date."""
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
