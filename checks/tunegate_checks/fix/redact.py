"""Personal data and keys give way to placeholders, in every text of a row that the checks read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from ..detect import api_keys
from ..detect.engine import personal_spans
from ..detect.masking import mask_value
from ..detect.rule import Span
from ..text import text_fields
from . import redact_json

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
            fields = text_fields.map_texts(fields, self._redact_at)
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
        if not redact_json.is_json(text):
            return self._redact_plain(text, context)
        count = len(self._redactions)
        new = redact_json.redact_json(text, context, self)
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
            [*api_keys.key_spans(text), *personal], key=lambda s: (s.start - s.end, s.start)
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


# [merged] Placeholders, `[EMAIL_1]`: one value has one number, two values never share one.

_PLACEHOLDER = re.compile(r"\[([A-Z][A-Z\d_]*)_(\d{1,12})\]")
_AT = re.compile(r" ?(?:\[at\]|\(at\)| arroba ) ?")
_DOT = re.compile(r" ?(?:\[dot\]|\(dot\)| ponto ) ?")
# Case, dots and spaces are writing here; in a password, a key or a wallet they are the value.
_IGNORE_PUNCTUATION = frozenset(
    ("cpf", "cnpj", "rg", "cnh", "pis", "voter_id", "cns", "cep", "pix_key", "plate", "card",
     "iban", "us_ssn", "eu_vat", "es_dni", "es_nie", "pt_nif", "pt_cc", "fr_nir",
     "it_codicefiscale", "de_idnr", "nl_bsn", "be_nn", "pl_pesel", "birth_date", "mac")
)  # fmt: skip


class Placeholders:
    """The numbers given out so far; `texts` hold the placeholders that were there before."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._placeholder_of: dict[tuple[str, str], str] = {}
        self._last_numbers: Counter[str] = Counter()
        for text in texts:
            for kind, number in _PLACEHOLDER.findall(text):
                self._last_numbers[kind] = max(self._last_numbers[kind], int(number))

    def of(self, kind: str, value: str) -> str:
        """Return the placeholder of a value: of any writing of it the same."""
        key = kind, value_key(kind, value)
        if key not in self._placeholder_of:
            name = kind.upper()
            self._last_numbers[name] += 1
            self._placeholder_of[key] = f"[{name}_{self._last_numbers[name]}]"
        return self._placeholder_of[key]


def value_key(kind: str, value: str) -> str:
    """Return what all writings of one value have in common: a CPF's digits, an e-mail's address."""
    if kind == "email":
        return _DOT.sub(".", _AT.sub("@", value.lower())).replace(" ", "")
    if kind == "phone":
        digits = re.sub(r"\D", "", re.split(r"[xer]", value.lower())[0]).removeprefix("00")
        return digits[2:] if len(digits) in (12, 13) and digits.startswith("55") else digits
    if kind in _IGNORE_PUNCTUATION:
        return re.sub(r"[\W_]", "", value).lower()
    return value.lower() if kind == "ip" else value
