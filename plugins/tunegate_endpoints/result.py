"""The outcome of one request: a Reply, or a Failure that says whether trying again may help."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tunegate.utils.text import cut, one_line

MAX_ERROR_LETTERS = 300  # of a server's message in an error
_KEY_PATTERN = re.compile(r"\b(sk|pk|rk|key|api)-[\w-]{6,}|(?<=Bearer )\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer as the server sent it.

    `has_token_counts` is false where the server sent no usage; the token counts are then 0.
    """

    text: str
    finish: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    has_token_counts: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no reply, in one line."""

    reason: str
    retryable: bool = False  # another try may succeed
    max_tries: int = 1000  # more are not worth while
    overloaded: bool = False  # the server asks for fewer requests
    retry_after: float | None = None  # seconds that the server asks for
    fatal: bool = False  # no request of this session can succeed
    billed: bool = False  # the server may have done the work
    reached: bool = True  # something answered at that address


def masked_line(text: str, key: str = "") -> str:
    """Return text as one line, cut, with everything that looks like a key masked."""
    masked = text.replace(key, "***") if key else text
    return cut(one_line(_KEY_PATTERN.sub("***", masked)), MAX_ERROR_LETTERS, " ...")
