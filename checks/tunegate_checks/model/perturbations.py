"""Perturbations: other ways to write a text, with which its label should not change.

Each is a function from a text and a number, which selects one of the possible changes, to a text;
where no change is possible, it returns the text as it is. The idea of testing a model by what must
*not* change: Ribeiro et al. 2020, *Beyond Accuracy: Behavioral Testing of NLP Models with
CheckList* (its invariance tests).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

Perturbation = Callable[[str, int], str]

# The neighbours of each letter on its row of a QWERTY keyboard, which are hit by mistake.
_KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOUR_KEYS = {
    letter: row[max(i - 1, 0) : i] + row[i + 1 : i + 2]
    for row in _KEYBOARD_ROWS
    for i, letter in enumerate(row)
}
_ACCENTED = re.compile("([A-Za-z])[\u0300-\u036f]+")  # Latin letters only: й is no accented и
_GAP = re.compile(r"(?<=\S) (?=\S)")
GREETINGS = ("Hi! ", "Hello, ", "Good morning, ", "Oi! ", "Olá, ", "Bom dia, ", "Boa tarde, ")


def title_case(text: str, _: int = 0) -> str:
    """Begin each word with a capital; what stands inside a word stays."""
    return re.sub(r"(?<!\S)\w", lambda match: match.group().upper(), text)


def drop_accents(text: str, _: int = 0) -> str:
    """Drop the accents of Latin letters, as many people do who type Portuguese."""
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", unicodedata.normalize("NFD", text)))


def add_typo(text: str, which: int = 0) -> str:
    """Hit a neighbouring key once."""
    typos = [
        (i, key) for i, letter in enumerate(text) for key in _NEIGHBOUR_KEYS.get(letter.lower(), "")
    ]
    if not typos:
        return text
    position, key = typos[which % len(typos)]
    key = key.upper() if text[position].isupper() else key
    return text[:position] + key + text[position + 1 :]


def add_space(text: str, which: int = 0) -> str:
    """Double a space, or put white space around the whole."""
    gaps = [match.start() for match in _GAP.finditer(text)]
    gap = which % (len(gaps) + 2)
    if gap >= len(gaps):
        return f" {text}" if gap == len(gaps) else f"{text}\n"
    return f"{text[: gaps[gap]]} {text[gaps[gap] :]}"


PERTURBATIONS: dict[str, Perturbation] = {
    "capitals": lambda text, _: text.upper(),
    "small letters": lambda text, _: text.lower(),
    "title case": title_case,
    "accents": drop_accents,
    "typo": add_typo,
    "white space": add_space,
    "greeting": lambda text, which: GREETINGS[which % len(GREETINGS)] + text,
}
