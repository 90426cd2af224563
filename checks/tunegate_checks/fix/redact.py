"""Personal data and keys give way to placeholders, in every text of a row that the checks read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ..data import secrets
from ..data.personal import Span, personal_spans
from ..data.personal.masking import mask_value
from . import jsontext, places
from .placeholders import Placeholders

MAX_ROUNDS = 6  # what one replacement exposes the next one finds; two are hardly ever needed


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
        self._clean_texts: set[tuple[str, str]] = set()  # system prompts, which all rows share
        self._redactions: list[Redaction] = []
        self._path = ""

    def redact_row(self, fields: dict[str, Any]) -> tuple[dict[str, Any], list[Redaction]]:
        """Return the row without personal data, and what was replaced; with none, the row itself.

        A placeholder is shorter or longer than its value, and so brings other numbers nearer to a
        label: the row is read until nothing more is found.
        """
        self._redactions = []
        for _ in range(MAX_ROUNDS):
            count = len(self._redactions)
            fields = places.map_texts(fields, self._redact_at)
            if len(self._redactions) == count:
                break
        return fields, self._redactions

    def _redact_at(self, path: str, context: str, text: str) -> str:
        if (context, text) in self._clean_texts:
            return text
        self._path = path
        new = self.redact_text(text, context)
        if new == text and not context and len(self._clean_texts) < 1000:
            self._clean_texts.add((context, text))
        return new

    def redact_text(self, text: str, context: str = "") -> str:
        """Return a text without personal data; JSON stays JSON."""
        if not self.find_spans(text, context):
            return text
        if not jsontext.is_json(text):
            return self._redact_plain(text, context)
        count = len(self._redactions)
        new = jsontext.redact_json(text, context, self)
        if new == text:  # it could not be done without breaking the JSON: the check will tell
            del self._redactions[count:]
        return new

    def _redact_plain(self, text: str, context: str) -> str:
        parts, position = [], 0
        for span in self.find_spans(text, context):
            parts += [
                text[position : span.start],
                self.placeholder(span.kind, text[span.start : span.end]),
            ]
            position = span.end
        return "".join([*parts, text[position:]])

    def placeholder(self, kind: str, value: str) -> str:
        """Return what a value gives way to, and take note of it."""
        new = self._placeholders.of(kind, value)
        self._redactions.append(Redaction(self._path, kind, mask_value(kind, value), new))
        return new

    def find_spans(self, text: str, context: str = "") -> list[Span]:
        """Return what must give way, in order, none overlapping; of two that do, the longer."""
        personal = (s for s in personal_spans(text, context) if not self._is_allowed(s, text))
        candidates = sorted(
            [*secrets.key_spans(text), *personal], key=lambda s: (s.start - s.end, s.start)
        )
        chosen: list[Span] = []
        for span in candidates:
            if all(span.end <= k.start or k.end <= span.start for k in chosen):
                chosen.append(span)
        return sorted(chosen, key=lambda s: s.start)

    def _is_allowed(self, span: Span, text: str) -> bool:
        value = text[span.start : span.end].lower()
        public = (value.endswith(p) if p.startswith("@") else value == p for p in self._public)
        return span.kind in self._ignore or any(public)
