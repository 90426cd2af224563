"""The fence: judged text goes to a judge as data, and nothing inside can close it.

Three lines, whatever the text holds:

    BEGIN DATA 5f0c...      the first 32 digits of the sha256 of the line below
    {"question": "...", "answer": "..."}
    END DATA 5f0c...

The middle line is JSON in which every character that ends a string, a line or a tag is escaped,
so that the text can neither leave its quotes nor its line. The chat templates of local models have
ends of their own (`<|im_end|>`, `</s>`, `[INST]`): no such token is left whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

# What quotes, nests, or opens a special token of a tokenizer; U+2581 is SentencePiece's space.
_UNSAFE_CHARACTERS = frozenset('"\\<>[]{}|`\u2581')
_QUOTED = re.compile(r"^BEGIN DATA ([0-9a-f]{32})\n(.*)\nEND DATA \1$", re.MULTILINE)


def quote_untrusted(fields: Mapping[str, str]) -> str:
    """Return the three lines of the fence around these texts; the keys are the caller's own."""
    line = "{" + ", ".join(f'"{key}": "{escape_text(text)}"' for key, text in fields.items()) + "}"
    fence_digest = _fence_digest(line)
    return f"BEGIN DATA {fence_digest}\n{line}\nEND DATA {fence_digest}"


def read_quoted(message: str) -> list[dict[str, str]]:
    """Return what stands behind each fence of a message: for judges that are Python functions."""
    return [
        json.loads(line)
        for fence_digest, line in _QUOTED.findall(message)
        if fence_digest == _fence_digest(line)
    ]


def escape_text(text: str) -> str:
    """Return a text as the inside of a JSON string, on one line, without a special token."""
    return "".join(map(_escape_character, text))


def _fence_digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()[:32]


@lru_cache(maxsize=4096)
def _escape_character(character: str) -> str:
    # Tokenizers that normalise (NFKC) turn a full-width sign into the plain one.
    plain = unicodedata.normalize("NFKC", character)
    # Not printable: controls, every line separator, invisible and bidirectional signs, surrogates.
    if character.isprintable() and not _UNSAFE_CHARACTERS.intersection(character + plain):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
