"""Keys and tokens that open somebody's account: a model repeats what it was trained on."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from tunegate import Dataset, Finding, check

from .personal.places import texts
from .personal.rule import Span
from .personal.vendors import KEYS

# Above what prose and identifiers reach, below random base64: 20 random characters have about 4.
ENTROPY = 3.5
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
    for example, place in texts(dataset):
        known = spans(place.text)
        for s in known:
            evidence = f"{place.path} {_masked(place.text[s.start : s.end])}"
            yield Finding(example.row, example.line, s.kind, evidence, about=place.about)
        for s in hints(place.text):
            if all(s.end <= k.start or k.end <= s.start for k in known):
                yield Finding(example.row, example.line, s.kind, f"{place.path} ***", hint=True)


def spans(text: str) -> list[Span]:
    """Return the keys of known vendors in a text, in order, none overlapping."""
    found: list[Span] = []
    for key in KEYS:
        if any(mark in text for mark in key.marks):
            found += (Span(key.kind, *_span(m)) for m in key.pattern.finditer(text) if _is_key(m))
    kept: list[Span] = []
    for span in sorted(found, key=lambda s: (s.start, -s.end)):
        if not kept or kept[-1].end <= span.start:
            kept.append(span)
    return kept


def hints(text: str) -> list[Span]:
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
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return mixed and entropy(value) >= ENTROPY


def _is_key(match: re.Match[str]) -> bool:
    """Whether it is more than a placeholder such as `ghp_xxxxxxxx`: ten different characters."""
    return len(set(match[0].lower())) >= 10


def _span(match: re.Match[str]) -> tuple[int, int]:
    return match.span("v" if "v" in match.re.groupindex else 0)


def _masked(value: str) -> str:
    """The vendor's prefix says which key to revoke; nothing of the key itself is shown."""
    prefix = re.match(r"-----BEGIN|[A-Za-z]{2,6}[-_](?:[a-z]{3,7}[-_])?|AKIA|ASIA|AIza|eyJ", value)
    return f"{prefix[0] if prefix and len(value) > 16 else ''}***"
