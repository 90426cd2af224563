"""JSON that stands in a text (a reply, a tool call's arguments): redacted, it is JSON still."""

from __future__ import annotations

import json
import re
from typing import Protocol

from tunegate.utils.strict_json import Unreadable, parse_strict

from ..detect.rule import Span

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')
_ESCAPE = re.compile(r"\\(?:u[\da-fA-F]{4}|.)", re.DOTALL)
_CONTEXT_LETTERS = 160  # characters before a value that may say what it is


class SpanRedactor(Protocol):
    """What knows personal data, and what it gives way to."""

    def redact_text(self, text: str, context: str = "") -> str:
        """Return a text without it."""

    def find_spans(self, text: str, context: str = "") -> list[Span]:
        """Return where it stands."""

    def placeholder(self, kind: str, value: str) -> str:
        """Return what stands for a value."""


def is_json(text: str) -> bool:
    """Tell whether a text is a JSON object or array."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        return isinstance(parse_strict(text), dict | list)
    except Unreadable:
        return False


def redact_json(text: str, context: str, finder: SpanRedactor) -> str:
    """Return a JSON text whose strings and numbers hold no personal data.

    A number becomes a string, since no placeholder is a number. Strings are read as what they
    decode to, then the text is read as it is written: so do the checks.
    """
    redacted = _TOKEN.sub(
        lambda m: _redact_token(m, f"{context}{text[: m.start()]}"[-_CONTEXT_LETTERS:], finder),
        text,
    )
    redacted = _redact_written(redacted, context, finder)
    return redacted if is_json(redacted) else text


def _redact_token(token: re.Match[str], context: str, finder: SpanRedactor) -> str:
    if not token[0].startswith('"'):
        spans = finder.find_spans(token[0], context)
        return f'"{finder.placeholder(spans[0].kind, token[0])}"' if spans else token[0]
    value = json.loads(token[0])
    new = finder.redact_text(value, f'{context}"')
    return token[0] if new == value else json.dumps(new, ensure_ascii=token[0].isascii())


def _redact_written(text: str, context: str, finder: SpanRedactor) -> str:
    """Replace what only the written form shows: a value with its label behind it, in another."""
    spans = finder.find_spans(text, context)
    if not spans:
        return text

    def replace_token(match: re.Match[str]) -> str:
        token_spans = [s for s in spans if s.start < match.end() and match.start() < s.end]
        if not match[0].startswith('"'):
            return (
                f'"{finder.placeholder(token_spans[0].kind, match[0])}"'
                if token_spans
                else match[0]
            )
        return _replace_spans(
            match[0], [_without_split_escapes(s, match) for s in token_spans], finder
        )

    return _TOKEN.sub(replace_token, text)


def _without_split_escapes(span: Span, token: re.Match[str]) -> Span:
    """Return the span inside the token's quotes, moved so that it cuts no escape in two."""
    start = max(span.start - token.start(), 1)
    end = min(span.end - token.start(), len(token[0]) - 1)
    for escape in _ESCAPE.finditer(token[0]):
        if escape.start() < start < escape.end():
            start = escape.end()
        if escape.start() < end < escape.end():
            end = escape.end()
    return Span(span.kind, start, max(start, end))


def _replace_spans(token: str, spans: list[Span], finder: SpanRedactor) -> str:
    parts, position = [], 0
    for span in spans:
        if span.end > max(span.start, position):
            value = token[span.start : span.end]
            parts += [token[position : span.start], finder.placeholder(span.kind, value)]
            position = span.end
    return "".join([*parts, token[position:]])
