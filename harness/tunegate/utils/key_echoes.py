"""Finds the keys of this process in a text, however a server or a library repeats them."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from urllib.parse import quote

MIN_LENGTH = 8  # characters of a key
WINDOW = 8  # letters and digits of a key by which a piece of it is known
MAX_GAP = 16  # characters between two pieces of one echo
_KEY_NAME = re.compile(
    r"key|token|secret|passw|passphrase|pwd|credential|auth|senha|chave|cookie|webhook|dsn",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"://[^\s:/@]*:([^\s/@]+)@")
_PATH = re.compile(r"[/~.]|[A-Za-z]:\\")
_PLAIN_WORD = re.compile(r"\d+|[A-Z]?[a-z]+|[A-Z]+")  # "production", which others write too


def keys_of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the values of variables that look like keys, and the passwords in URLs.

    A value counts by the name of its variable (`..._KEY`, `..._TOKEN`, `PASSWORD`), unless it is a
    path, a number, one plain word, or shorter than MIN_LENGTH.
    """
    for name, value in environment.items():
        if _KEY_NAME.search(name) and looks_like_key(value):
            yield value
        yield from (m for m in _URL_PASSWORD.findall(value) if looks_like_key(m))


def looks_like_key(value: str) -> bool:
    """Whether a text is long enough for a key, and neither a path nor one plain word."""
    is_plain = _PATH.match(value) or _PLAIN_WORD.fullmatch(value)
    return len(value.strip()) >= MIN_LENGTH and not is_plain


class KeyEchoes:
    """Finds keys as they stand, URL-encoded, in base64 or hex, and split into pieces.

    Texts are compared by their letters and digits alone, so that line ends, quotes and other
    characters between the pieces of a key do not hide it. A piece of WINDOW letters and digits is
    enough where it looks random, since no other text holds it by chance.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        forms = {"".join(filter(str.isalnum, form)) for key in keys for form in _forms(key)} - {""}
        self.whole = sorted({form for form in forms if len(form) >= MIN_LENGTH}, key=len)[::-1]
        pieces = (form[i : i + WINDOW] for form in forms for i in range(len(form) - WINDOW + 1))
        # Words change seldom between kinds of characters.
        self.pieces = frozenset(p for p in pieces if kind_changes(p) >= 3)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return start and end of each echo, in order; pieces close to each other are one."""
        if not self.whole or len(text) < MIN_LENGTH:
            return []
        places = [i for i, c in enumerate(text) if c.isalnum()]
        squashed = "".join([text[i] for i in places])
        starts = range(len(squashed) - WINDOW + 1)
        hits = [(i, i + WINDOW) for i in starts if squashed[i : i + WINDOW] in self.pieces]
        for form in self.whole:
            start = squashed.find(form)
            while start >= 0:
                hits.append((start, start + len(form)))
                start = squashed.find(form, start + len(form))
        spans: list[tuple[int, int]] = []
        for first, end in sorted(hits):
            start, stop = places[first], places[end - 1] + 1
            while start and text[start - 1].isalnum():
                start -= 1
            while stop < len(text) and text[stop].isalnum():
                stop += 1
            if spans and start <= spans[-1][1] + MAX_GAP:
                spans[-1] = spans[-1][0], max(stop, spans[-1][1])
            else:
                spans.append((start, stop))
        return spans

    def hide(self, text: str) -> str:
        """Return a text with `***` in place of each echo."""
        for start, end in reversed(self.spans(text)):
            text = f"{text[:start]}***{text[end:]}"
        return text


def _forms(key: str) -> Iterator[str]:
    """Yield a key as it stands, URL-encoded, in hex, and in base64 behind any other text."""
    data = key.encode("utf-8", "surrogateescape")
    yield key
    yield quote(key, safe="", errors="surrogateescape")
    yield data.hex()
    yield data.hex().upper()
    for before in range(3):  # base64 writes three bytes as four characters
        encoded = base64.b64encode(b"\0" * before + data).decode()
        for form in (encoded, encoded.translate(str.maketrans("+/", "-_"))):
            # What the characters at both ends say depends on the text around the key.
            yield form[(0, 2, 3)[before] : len(form) // 4 * 4 - 4]


def kind_changes(text: str) -> int:
    """Count where small letters, capitals and digits follow one another in a text."""
    return sum((a.isdigit(), a.isupper()) != (b.isdigit(), b.isupper()) for a, b in pairwise(text))
