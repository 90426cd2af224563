"""JSON that stands in a text (a reply, a tool call's arguments): redacted, it is JSON still."""

from __future__ import annotations

import json
import re
from typing import Protocol

from tunegate.strictjson import Unreadable, parse

from ..data.personal import Span

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')
_ESCAPE = re.compile(r"\\(?:u[\da-fA-F]{4}|.)", re.DOTALL)
_REACH = 160  # characters before a value that may say what it is


class Finder(Protocol):
    """What knows personal data, and what it gives way to."""

    def text(self, text: str, before: str = "") -> str:
        """Return a text without it."""

    def found(self, text: str, before: str = "") -> list[Span]:
        """Return where it stands."""

    def placeholder(self, kind: str, value: str) -> str:
        """Return what stands for a value."""


def is_json(text: str) -> bool:
    """Tell whether a text is a JSON object or array."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        return isinstance(parse(text), dict | list)
    except Unreadable:
        return False


def replaced(text: str, before: str, finder: Finder) -> str:
    """Return a JSON text whose strings and numbers hold no personal data.

    A number becomes a string, since no placeholder is a number. Strings are read as what they
    decode to, then the text is read as it is written: so do the checks.
    """
    new = _TOKEN.sub(lambda m: _decoded(m, f"{before}{text[: m.start()]}"[-_REACH:], finder), text)
    new = _written(new, before, finder)
    return new if is_json(new) else text


def _decoded(token: re.Match[str], before: str, finder: Finder) -> str:
    if not token[0].startswith('"'):
        spans = finder.found(token[0], before)
        return f'"{finder.placeholder(spans[0].kind, token[0])}"' if spans else token[0]
    value = json.loads(token[0])
    new = finder.text(value, f'{before}"')
    return token[0] if new == value else json.dumps(new, ensure_ascii=token[0].isascii())


def _written(text: str, before: str, finder: Finder) -> str:
    """Replace what only the written form shows: a value with its label behind it, in another."""
    spans = finder.found(text, before)
    if not spans:
        return text

    def token(match: re.Match[str]) -> str:
        inside = [s for s in spans if s.start < match.end() and match.start() < s.end]
        if not match[0].startswith('"'):
            return f'"{finder.placeholder(inside[0].kind, match[0])}"' if inside else match[0]
        return _cut(match[0], [_whole(s, match) for s in inside], finder)

    return _TOKEN.sub(token, text)


def _whole(span: Span, token: re.Match[str]) -> Span:
    """Return the span inside the token's quotes, moved so that it cuts no escape in two."""
    start = max(span.start - token.start(), 1)
    end = min(span.end - token.start(), len(token[0]) - 1)
    for escape in _ESCAPE.finditer(token[0]):
        if escape.start() < start < escape.end():
            start = escape.end()
        if escape.start() < end < escape.end():
            end = escape.end()
    return Span(span.kind, start, max(start, end))


def _cut(token: str, spans: list[Span], finder: Finder) -> str:
    out, at = [], 0
    for span in spans:
        if span.end > max(span.start, at):
            value = token[span.start : span.end]
            out += [token[at : span.start], finder.placeholder(span.kind, value)]
            at = span.end
    return "".join([*out, token[at:]])
