"""Keys and tokens that open somebody's account: a model repeats what it was trained on."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from tunegate import Dataset, Finding, check

from .personal.places import text_fields
from .personal.rule import Span
from .personal.vendors import KEY_PATTERNS

# Above what prose and identifiers reach, below random base64: 20 random characters have about 4.
MIN_ENTROPY = 3.5
_ASSIGNED = re.compile(
    r"(?i)(?:api[_-]?key|secret|token|passwd|auth|access[_-]?key|chave|credential)[\w-]{0,20}"
    r"[\"']?\s*[:=]\s*[\"']?(?P<v>[A-Za-z0-9+/_\-.=]{20,200})(?![\w+/])"
)
_WORDS = re.compile(r"secret|token|key|chave|passwd|auth|credential", re.IGNORECASE)


@check(name="secrets", rows=True)
def find(dataset: Dataset) -> Iterator[Finding]:
    """Yield every key that a vendor's prefix gives away; values that only look random are hints.

    Source of each rule: `personal.vendors`. A hint closes no gate: `token = <20 random characters>`
    is often a test's invention, and as often somebody's key.
    """
    for example, text_field in text_fields(dataset):
        keys = key_spans(text_field.text)
        for s in keys:
            evidence = f"{text_field.path} {_mask_key(text_field.text[s.start : s.end])}"
            yield Finding(example.row, example.line, s.kind, evidence, about=text_field.shared_text)
        for s in possible_key_spans(text_field.text):
            if all(s.end <= k.start or k.end <= s.start for k in keys):
                yield Finding(
                    example.row, example.line, s.kind, f"{text_field.path} ***", hint=True
                )


def key_spans(text: str) -> list[Span]:
    """Return the keys of known vendors in a text, in order, none overlapping."""
    matches: list[Span] = []
    for key in KEY_PATTERNS:
        if any(mark in text for mark in key.markers):
            matches += (
                Span(key.kind, *_value_span(m)) for m in key.pattern.finditer(text) if _is_key(m)
            )
    chosen: list[Span] = []
    for span in sorted(matches, key=lambda s: (s.start, -s.end)):
        if not chosen or chosen[-1].end <= span.start:
            chosen.append(span)
    return chosen


def possible_key_spans(text: str) -> list[Span]:
    """Return values assigned to something called a key, a token, a secret, that look random."""
    if not _WORDS.search(text):
        return []
    matches = (m for m in _ASSIGNED.finditer(text) if _looks_random(m["v"]))
    return [Span("possible_secret", *m.span("v")) for m in matches]


def entropy(value: str) -> float:
    """Return Shannon's entropy of a string's characters, in bits a character."""
    n = len(value)
    return -sum(c / n * math.log2(c / n) for c in Counter(value).values())


def _looks_random(value: str) -> bool:
    is_mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return is_mixed and entropy(value) >= MIN_ENTROPY


def _is_key(match: re.Match[str]) -> bool:
    """Whether it is more than a placeholder such as `ghp_xxxxxxxx`: ten different characters."""
    return len(set(match[0].lower())) >= 10


def _value_span(match: re.Match[str]) -> tuple[int, int]:
    return match.span("v" if "v" in match.re.groupindex else 0)


def _mask_key(value: str) -> str:
    """The vendor's prefix says which key to revoke; nothing of the key itself is shown."""
    prefix = re.match(r"-----BEGIN|[A-Za-z]{2,6}[-_](?:[a-z]{3,7}[-_])?|AKIA|ASIA|AIza|eyJ", value)
    return f"{prefix[0] if prefix and len(value) > 16 else ''}***"
