"""Check whether labels change when only the way of writing does: a relation with several changes.

Its idea: Ribeiro et al. 2020, *Beyond Accuracy: Behavioral Testing of NLP Models with CheckList*.
"""

import re
import unicodedata
from collections.abc import Mapping

from tunegate import Ask, Dataset, LabelRule, Predictions, Score
from tunegate.results.labels import exact

from .relations import Change, Relation

# The neighbours of each letter on its row of a QWERTY keyboard, which are hit by mistake.
_KEYS = " qwertyuiop asdfghjkl zxcvbnm "
_NEIGHBOUR_KEYS = {k: _KEYS[i - 1 : i + 2 : 2].strip() for i, k in enumerate(_KEYS) if k != " "}
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
    near = [_NEIGHBOUR_KEYS.get(letter.lower(), "") for letter in text]
    if not (typos := [(i, key) for i, keys in enumerate(near) for key in keys]):
        return text
    position, key = typos[which % len(typos)]
    key = key.upper() if text[position].isupper() else key
    return text[:position] + key + text[position + 1 :]


def add_space(text: str, which: int = 0) -> str:
    """Double a space, or put white space around the whole."""
    gaps = [match.start() for match in _GAP.finditer(text)]
    if (gap := which % (len(gaps) + 2)) >= len(gaps):
        return f" {text}" if gap == len(gaps) else f"{text}\n"
    return f"{text[: gaps[gap]]} {text[gaps[gap] :]}"


PERTURBATIONS: dict[str, Change] = {
    "capitals": lambda text, _: text.upper(), "small letters": lambda text, _: text.lower(),
    "title case": title_case, "accents": drop_accents, "typo": add_typo, "white space": add_space,
    "greeting": lambda text, which: GREETINGS[which % len(GREETINGS)] + text,
}  # fmt: skip


def flips(
    predictions: Predictions, test: Dataset, ask: Ask, *, label: LabelRule = exact,
    calls: int = 200, perturbations: Mapping[str, Change] = PERTURBATIONS,
) -> Score:  # fmt: skip
    """Return the share of labels that change when the question is written differently.

    For classification. All perturbations weigh the same, unlike in real traffic: see `detail`.
    """
    writing = Relation("flip rate", perturbations, calls=calls, by_word=True)
    return writing(predictions, test, ask, label=label)
