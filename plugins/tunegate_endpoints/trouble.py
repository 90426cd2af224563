"""What comes of a request: a reply, or why there is none, and whether trying again may help."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 300  # characters of a server's own words in an error
_KEYS = re.compile(r"\b(sk|pk|rk|key|api)-[\w-]{6,}|(?<=Bearer )\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer as its protocol tells it; `counted` where the tokens were told."""

    text: str
    finish: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no reply, in one line."""

    why: str
    again: bool = False  # it may get better: try again
    most: int = 1000  # tries that are worth while
    pushed: bool = False  # the server has too much to do
    wait: float | None = None  # seconds that the server asks for
    every: bool = False  # no request of this session would fare better
    billed: bool = False  # the server may have done the work
    heard: bool = True  # something answered at that address


def one_line(text: str, key: str = "") -> str:
    """Return text as one line, cut, with everything that looks like a key masked."""
    masked = text.replace(key, "***") if key else text
    line = " ".join(_KEYS.sub("***", masked).split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= LONGEST else line[:LONGEST] + " ..."
