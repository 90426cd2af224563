"""Perturbations: how people write the same thing differently. A label should not change with them.

Each is a function from a text and a number, which chooses among the many ways of making it, to a
text; where a text gives no occasion, it comes back as it was. The idea of testing a model by what
must *not* change: Ribeiro et al. 2020, *Beyond Accuracy: Behavioral Testing of NLP Models with
CheckList* (its invariance tests).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

Perturbation = Callable[[str, int], str]

# Each letter's neighbours on its own row of a QWERTY keyboard: what a finger hits instead.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    letter: row[max(i - 1, 0) : i] + row[i + 1 : i + 2]
    for row in _ROWS
    for i, letter in enumerate(row)
}
_MARKED = re.compile("([A-Za-z])[\u0300-\u036f]+")  # Latin letters only: й is no accented и
_GAP = re.compile(r"(?<=\S) (?=\S)")
GREETINGS = ("Hi! ", "Hello, ", "Good morning, ", "Oi! ", "Olá, ", "Bom dia, ", "Boa tarde, ")


def upper(text: str, _: int = 0) -> str:
    """Write everything in capitals."""
    return text.upper()


def lower(text: str, _: int = 0) -> str:
    """Write everything in small letters."""
    return text.lower()


def title(text: str, _: int = 0) -> str:
    """Begin each word with a capital; what stands inside a word stays."""
    return re.sub(r"(?<!\S)\w", lambda match: match.group().upper(), text)


def accents(text: str, _: int = 0) -> str:
    """Drop the accents of Latin letters, as many people do who type Portuguese."""
    return unicodedata.normalize("NFC", _MARKED.sub(r"\1", unicodedata.normalize("NFD", text)))


def typo(text: str, which: int = 0) -> str:
    """Hit a neighbouring key once."""
    slips = [(i, key) for i, letter in enumerate(text) for key in _BESIDE.get(letter.lower(), "")]
    if not slips:
        return text
    place, key = slips[which % len(slips)]
    key = key.upper() if text[place].isupper() else key
    return text[:place] + key + text[place + 1 :]


def spaces(text: str, which: int = 0) -> str:
    """Double a space, or put white space around the whole."""
    gaps = [match.start() for match in _GAP.finditer(text)]
    place = which % (len(gaps) + 2)
    if place >= len(gaps):
        return f" {text}" if place == len(gaps) else f"{text}\n"
    return f"{text[: gaps[place]]} {text[gaps[place] :]}"


def greeting(text: str, which: int = 0) -> str:
    """Say hello first, in English or Portuguese."""
    return GREETINGS[which % len(GREETINGS)] + text


PERTURBATIONS: dict[str, Perturbation] = {
    "capitals": upper,
    "small letters": lower,
    "title case": title,
    "accents": accents,
    "typo": typo,
    "white space": spaces,
    "greeting": greeting,
}
