"""The labels of vocabulary.toml, which say what a number is.

They are in lower case without accents; words of a text are folded the same way before they are
looked up. A phrase of up to three words takes precedence over its first word: "placa de video" is
a graphics card, not a number plate.
"""

import tomllib
from pathlib import Path

from .rules import FAMILIES

# Labels of numbers that are no personal data: a number behind one belongs to it.
OTHER_FAMILY = "other"

_FAMILIES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")) | FAMILIES

LABELS: dict[str, set[str]] = {}  # the families of each word or phrase
for _family, _phrases in _FAMILIES.items():
    for _phrase in _phrases.split(","):
        LABELS.setdefault(" ".join(_phrase.split()), set()).add(_family)
LENGTHS: dict[str, dict[int, None]] = {}  # of the phrases that begin with a word, longest first
for _words in sorted(map(str.split, LABELS), key=len, reverse=True):
    LENGTHS.setdefault(_words[0], {})[len(_words)] = None
LABEL_WORDS = frozenset(word for phrase in LABELS for word in phrase.split())
