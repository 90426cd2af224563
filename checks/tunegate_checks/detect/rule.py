"""A detection rule, and the span of text that it finds."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

# Of overlapping candidates with labels equally near, the one of the earlier rule is chosen.
TOPICS = ("online", "brazil", "money", "national_ids", "phones", "people")
PART = re.compile(r"\{([a-z]\w*)\}")


def read_toml(module: str, name: str = "") -> dict[str, Any]:
    """Return the TOML file beside a module, by its `__file__`: that of its name, or of another."""
    path = Path(module)
    return tomllib.loads(path.with_name(f"{name or path.stem}.toml").read_text("utf-8"))


def fill_parts(patterns: Mapping[str, str | list[str]]) -> dict[str, str]:
    """Return patterns by name; `{name}` in one is one above it, strings of a list are joined."""
    parts = dict[str, str]()
    for name, pattern in patterns.items():
        parts[name] = PART.sub(lambda match: parts[match[1]], "".join(pattern))
    return parts


def read_patterns(module: str) -> dict[str, re.Pattern[str]]:
    """Return the patterns of the TOML file beside a module, compiled, by name."""
    return {name: re.compile(text) for name, text in fill_parts(read_toml(module)).items()}


@cache
def compiled(pattern: str, flags: int) -> tuple[re.Pattern[str], str | int]:
    """Return a pattern, compiled at the first text that needs it, and the group of its value."""
    result = re.compile(pattern, flags)
    return result, "v" if "v" in result.groupindex else 0


CONTENTS = {topic: read_toml(__file__, topic) for topic in TOPICS}

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
    """A pattern, a check of the matched value, and the labels that the value needs beside it."""

    kind: str
    pattern: str  # case is ignored: people type in lower case; the value is group `v`, or the match
    valid: Callable[[str], bool] = bool  # accepts every match
    label_families: tuple[str, ...] = ()  # a label of one (see `rules`) must stand near the value
    needs_own_label: bool = False  # without check digits: the nearest label must be of these
    # Whether a value under a label such as "order" is no finding; with label families it never is.
    silent_under_other_label: bool = False
    # A text is searched if a number in it has so many digits (letters end a number), and if it has
    # one of the `words` and one of the substrings `signs`, where there are any: in lower case, 0
    # for any digit; with `min_digits` they stand at a number, A for any letter.
    min_digits: int = 0
    signs: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    first_words: frozenset[str] = frozenset()  # a match begins with one of them, if there are any
    within_text: bool = False  # no match begins in the context: who thanked did not sign the reply
    stdnum: str = ""  # the module of python-stdnum for which the value must be valid


def phrases(text: str) -> list[str]:
    """Return the phrases of a list of words, the longest first."""
    return sorted((" ".join(p.split()) for p in text.split(",")), key=len, reverse=True)


def only_digits(value: str) -> str:
    """Return the value's ASCII digits."""
    return value.encode("ascii", "ignore").translate(None, _NO_DIGITS).decode()
