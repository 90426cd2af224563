"""Find keys in the formats of key_formats.toml, keys that a request carries, and possible keys."""

import base64
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

from tunegate.utils.masking import kind_changes

from .rule import Span, compiled, read_patterns, read_toml
from .validity import is_placeholder


class KeyFormat(NamedTuple):
    """A row of key_formats.toml, which says what the fields are."""

    kind: str
    keywords: str
    pattern: str
    least_entropy: float = 3.0


PATTERNS = read_patterns(__file__)
KEY_FORMATS = tuple(KeyFormat(*row) for row in read_toml(__file__, "key_formats")["formats"])
_MIN_WORD = 15  # characters: the word that a key and its keyword stand in is no shorter
# Kinds whose keyword and key can stand in different words.
_SPACED = frozenset(
    ("aws_secret", "aws_session_token", "private_key", "bearer_token", "basic_auth", "seed_phrase")
)
_BY_KEYWORD = [(word, k, k.kind in _SPACED) for k in KEY_FORMATS for word in k.keywords.split()]
_OF_ANY_WORD = [entry for entry in _BY_KEYWORD if entry[2]]
# Bits a character: prose and identifiers have less, 20 random base64 characters have about 4.
MIN_ENTROPY = 3.5
MIN_PREFIX = 4  # characters: words end in shorter ones


def sent_key_spans(text: str) -> list[Span]:
    """Return what stands where a request carries a key: in an address, a query or a header."""
    spans = [Span("key", *match.span()) for match in PATTERNS["short_key"].finditer(text)]
    for match in PATTERNS["sent"].finditer(text):
        group = str(match.lastgroup)
        # Behind `Bearer` and `Basic` a word that holds no digit, capital or sign is no key.
        if group != "scheme" or not re.fullmatch(r"[A-Z]?[a-z]+", match[group]):
            kind = "url_credentials" if group == "userinfo" else "key"
            spans.append(Span(kind, *match.span(group)))
    return spans


def key_spans(text: str, allow: Collection[str] = ()) -> list[Span]:
    """Return a text's keys, of overlapping ones the first; none of documentation or `allow`."""
    matches: list[Span] = []
    long_words = " ".join([word for word in text.split() if len(word) >= _MIN_WORD])
    keywords = _BY_KEYWORD if long_words else _OF_ANY_WORD
    possible = [k for word, k, spaced in keywords if word in (text if spaced else long_words)]
    for key in dict.fromkeys(possible):
        pattern, group = compiled(rf"(?:{key.pattern})(?!\w)", re.DOTALL)
        for match in pattern.finditer(text):
            value = match[group]
            secret = value.partition(":")[2] if key.kind == "basic_auth" and ":" in value else value
            is_key = entropy(value.lower()) >= key.least_entropy and not is_placeholder(secret)
            if is_key and value not in allow and (group or _is_whole(match, key.keywords.split())):
                matches.append(Span(key.kind, *match.span(group)))
    matches += _encoded_keys(text, allow) if long_words else ()
    chosen: list[Span] = []
    for span in sorted(matches, key=lambda s: (s.start, -s.end)):
        if not chosen or chosen[-1].end <= span.start:
            chosen.append(span)
    return chosen


def _encoded_keys(text: str, allow: Collection[str]) -> Iterator[Span]:
    """Yield the words in base64 that hold a key, such as the values of a Kubernetes secret."""
    for match in PATTERNS["base64"].finditer(text):
        padded = match[0] + "=" * (-len(match[0]) % 4)
        try:
            plain = base64.b64decode(padded, validate=True).decode("ascii")
        except ValueError:
            continue
        if keys := key_spans(plain, allow):
            yield Span(keys[0].kind, *match.span())


def _is_whole(match: re.Match[str], markers: list[str]) -> bool:
    """Whether a match is a key, and no part of a longer word: `task-` ends in `sk-`."""
    before = match.string[max(match.start() - 1, 0) : match.start()]
    if match[0].startswith("-----") or not re.match(r"[\w\-]", before):
        return True
    # Glued to a word (`%3Dsk-proj-`): a random body, or digits behind a prefix that ends no word.
    prefix = max((match[0].find(m) + len(m) for m in markers if m in match[0]), default=0)
    body = match[0][prefix:]
    has_digits = any(map(str.isdigit, body)) and 12 * kind_changes(body) > len(body)
    return looks_random(body) or (prefix >= MIN_PREFIX and has_digits)


def looks_random(word: str) -> bool:
    """Whether small letters, capitals and digits alternate, as in keys without a prefix."""
    kinds = (str.islower, str.isupper, str.isdigit)
    return all(any(map(kind, word)) for kind in kinds) and 3 * kind_changes(word) > len(word)


def possible_key_spans(text: str, allow: Collection[str] = ()) -> list[Span]:
    """Return values of letters, digits and MIN_ENTROPY that are assigned to a key or a secret."""
    if not ((":" in text or "=" in text) and PATTERNS["key_words"].search(text)):
        return []
    spans = []
    for match in PATTERNS["assigned"].finditer(text):
        value = match["v"]
        is_mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if is_mixed and entropy(value) >= MIN_ENTROPY and value not in allow:
            spans.append(Span("possible_secret", *match.span("v")))
    return spans


def entropy(value: str) -> float:
    """Return the Shannon entropy of a string's characters, in bits a character."""
    n = len(value)
    return -sum(c / n * math.log2(c / n) for c in Counter(value).values())


def mask_key(value: str) -> str:
    """Return the vendor's prefix of an API key, which says which key to revoke, and `***`."""
    prefix = re.match(r"-----BEGIN|[A-Za-z]{2,6}[-_](?:[a-z]{3,7}[-_])?|AKIA|ASIA|AIza|eyJ", value)
    return f"{prefix[0] if prefix and len(value) > 16 else ''}***"
