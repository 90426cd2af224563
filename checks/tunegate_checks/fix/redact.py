"""Personal data and keys give way to placeholders, in every text of a row that the checks read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ..data import secrets
from ..data.personal import Span, spans
from ..data.personal.masking import masked
from . import jsontext, places
from .placeholders import Placeholders

ROUNDS = 6  # what one replacement exposes the next one finds; two are hardly ever needed


@dataclass(frozen=True)
class Redaction:
    """One value that gave way: where it stood, its mask, and what stands there now."""

    path: str
    kind: str
    mask: str
    placeholder: str

    def __str__(self) -> str:
        return f"{self.path} {self.mask} became {self.placeholder}"


class Redactor:
    """Replaces what `pii.find` and `secrets.find` tell of; hints of the latter stay.

    `ignore` and `allow` are those of `pii.find`.
    """

    def __init__(
        self,
        placeholders: Placeholders,
        ignore: Collection[str] = (),
        allow: Collection[str] = (),
    ) -> None:
        self._placeholders = placeholders
        self._ignore, self._public = frozenset(ignore), tuple(a.lower() for a in allow)
        self._clean: set[tuple[str, str]] = set()  # system prompts, which all rows share
        self._done: list[Redaction] = []
        self._path = ""

    def row(self, fields: dict[str, Any]) -> tuple[dict[str, Any], list[Redaction]]:
        """Return the row without personal data, and what was replaced; with none, the row itself.

        A placeholder is shorter or longer than its value, and so brings other numbers nearer to a
        label: the row is read until nothing more is found.
        """
        self._done = []
        for _ in range(ROUNDS):
            before = len(self._done)
            fields = places.mapped(fields, self._at)
            if len(self._done) == before:
                break
        return fields, self._done

    def _at(self, path: str, before: str, text: str) -> str:
        if (before, text) in self._clean:
            return text
        self._path = path
        new = self.text(text, before)
        if new == text and not before and len(self._clean) < 1000:
            self._clean.add((before, text))
        return new

    def text(self, text: str, before: str = "") -> str:
        """Return a text without personal data; JSON stays JSON."""
        if not self.found(text, before):
            return text
        if not jsontext.is_json(text):
            return self._plain(text, before)
        noted = len(self._done)
        new = jsontext.replaced(text, before, self)
        if new == text:  # it could not be done without breaking the JSON: the check will tell
            del self._done[noted:]
        return new

    def _plain(self, text: str, before: str) -> str:
        out, at = [], 0
        for span in self.found(text, before):
            out += [text[at : span.start], self.placeholder(span.kind, text[span.start : span.end])]
            at = span.end
        return "".join([*out, text[at:]])

    def placeholder(self, kind: str, value: str) -> str:
        """Return what a value gives way to, and take note of it."""
        new = self._placeholders.of(kind, value)
        self._done.append(Redaction(self._path, kind, masked(kind, value), new))
        return new

    def found(self, text: str, before: str = "") -> list[Span]:
        """Return what must give way, in order, none overlapping; of two that do, the longer."""
        personal = (s for s in spans(text, before) if not self._is_free(s, text))
        both = sorted([*secrets.spans(text), *personal], key=lambda s: (s.start - s.end, s.start))
        kept: list[Span] = []
        for span in both:
            if all(span.end <= k.start or k.end <= span.start for k in kept):
                kept.append(span)
        return sorted(kept, key=lambda s: s.start)

    def _is_free(self, span: Span, text: str) -> bool:
        value = text[span.start : span.end].lower()
        public = (value.endswith(p) if p.startswith("@") else value == p for p in self._public)
        return span.kind in self._ignore or any(public)
