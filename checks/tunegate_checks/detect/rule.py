"""A detection rule, and the span of text that it finds."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# Of overlapping candidates with labels equally near, the one of the earlier rule is chosen.
TOPICS = ("online", "brazil", "money", "national_ids", "phones", "people")
_FILES = {topic: Path(__file__).with_name(f"{topic}.toml") for topic in TOPICS}
CONTENTS = {topic: tomllib.loads(file.read_text("utf-8")) for topic, file in _FILES.items()}

# `NUMBER % pattern`: a number that is not part of a longer number, a price or a path.
# Behind `=` it stands where a name stands before: `cpf=`, but not in `200=800`.
NUMBER = r"(?<![\w$€£#/.\-])(?<![^A-Za-z_\"']=)(?<![$€£] )(?:%s)(?!\w|[.,/\-]\d)"
# A pattern that begins with it is tried at digits only.
DIGIT = r"(?=\d)"
DIGITS = DIGIT + NUMBER
_NO_DIGITS = bytes(b for b in range(128) if not chr(b).isdigit())


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a text, `text[start:end]`, that holds personal data of one kind."""

    kind: str
    start: int
    end: int

    def overlaps(self, other: Self) -> bool:
        """Whether the spans have a character in common."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, a check of the matched value, and the labels that the value needs beside it.

    The pattern ignores case: people type in lower case. The value is its group `v`, or the whole
    match. It must pass `valid`, and be valid for the module `stdnum` of python-stdnum. One label of
    `label_families` (see `rules`) must stand near it; an empty tuple needs none. With
    `needs_own_label` (for values without check digits) the nearest label must be of these families.
    With `silent_under_other_label` a value under a label such as "order" or "protocol" is no
    finding; for rules with label families it never is. A text in which no number has `min_digits`
    digits (letters end a number) is not searched, nor one with none of the `words`, or with none of
    the substrings `signs`, if there are any: in lower case, 0 for any digit; with `min_digits` they
    stand at a number, A for any letter. A match begins with one of `first_words`, if there are any;
    `within_text`, it does not begin in the context: who thanked did not sign the reply.
    """

    kind: str
    pattern: str
    valid: Callable[[str], bool] = bool  # accepts every match
    label_families: tuple[str, ...] = ()
    needs_own_label: bool = False
    silent_under_other_label: bool = False
    min_digits: int = 0
    signs: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    first_words: frozenset[str] = frozenset()
    within_text: bool = False
    stdnum: str = ""


def phrases(text: str) -> list[str]:
    """Return the phrases of a list of words, the longest first."""
    return sorted((" ".join(p.split()) for p in text.split(",")), key=len, reverse=True)


def only_digits(value: str) -> str:
    """Return the value's ASCII digits."""
    return value.encode("ascii", "ignore").translate(None, _NO_DIGITS).decode()
