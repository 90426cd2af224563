"""Replace personal data and keys with placeholders, in every text of a row that the checks read.

JSON stays JSON, wherever it stands in a text: a reply, the arguments of a call, a block between
fences, a line of its own. Python that parsed still parses. Where no placeholder allows that, the
value is left, and the check reports it. In `[EMAIL_1]` one value has one number, and no two values
share one.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from tunegate.utils.strict_json import Unreadable, parse_strict

from ..detect import api_keys
from ..detect.engine import mask_value, personal_spans
from ..detect.rule import Span
from ..text import text_fields

MAX_ROUNDS = 6  # one replacement can expose another value; more than two rounds are rare
MAX_CLEAN_TEXTS = 1000
MAX_PIECES = 1000  # openings of JSON that are tried in one text
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')  # string or number
_JSON_ESCAPE = re.compile(r"\\(?:u[\da-fA-F]{4}|.)", re.DOTALL)
_CONTEXT_LETTERS = 160  # characters before a value in JSON that may name its kind
_JSON_OPENING = re.compile(r'\{\s*["}]|\[\s*[{\["]')
_PYTHON_FENCE = re.compile(r"^```(?:python|py)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PLACEHOLDER = re.compile(r"\[([A-Z][A-Z\d_]*)_(\d{1,12})\]")
_AT = re.compile(r" ?(?:\[at\]|\(at\)| arroba ) ?")
_DOT = re.compile(r" ?(?:\[dot\]|\(dot\)| ponto ) ?")
# Kinds whose case, dots and spaces vary between writings of one value. In a password, a key or a
# wallet address they belong to the value.
_IGNORE_PUNCTUATION = frozenset(
    ("cpf", "cnpj", "rg", "cnh", "pis", "voter_id", "cns", "cep", "pix_key", "plate", "card",
     "iban", "us_ssn", "eu_vat", "es_dni", "es_nie", "pt_nif", "pt_cc", "fr_nir",
     "it_codicefiscale", "de_idnr", "nl_bsn", "be_nn", "pl_pesel", "birth_date", "mac")
)  # fmt: skip


class Redaction(NamedTuple):
    """One value that was replaced: its kind, and where, its mask and the placeholder in words."""

    kind: str
    description: str


class Redactor:
    """Replaces what `pii.find` and `secrets.find` report; hints of the latter stay.

    `ignore` and `allow` are those of `pii.find`, and `allow` that of `secrets.find`. The values of
    each kind are numbered behind the placeholders that stand in `texts`.
    """

    def __init__(
        self, texts: Iterable[str] = (), ignore: Collection[str] = (), allow: Collection[str] = ()
    ) -> None:
        self._ignore, self._allow = ignore, allow
        self._placeholders: dict[tuple[str, str], str] = {}  # by kind and value
        self._last_numbers: Counter[str] = Counter()
        for text in texts:
            for kind, number in _PLACEHOLDER.findall(text):
                self._last_numbers[kind] = max(self._last_numbers[kind], int(number))
        self._clean_texts: set[tuple[str, str]] = set()  # system prompts, which all rows share
        self._redactions: list[Redaction] = []
        self._path = ""

    def redact_row(self, fields: dict[str, Any]) -> tuple[dict[str, Any], list[Redaction]]:
        """Return the row without personal data, and what was replaced; with none, the row itself.

        A placeholder is shorter or longer than its value, which can bring another number close
        enough to a label to be found: the row is read until nothing more is found.
        """

        def redact_field(path: str, context: str, text: str) -> str:
            if (context, text) in self._clean_texts:
                return text
            self._path = path
            new = self.redact_text(text, context)
            if new == text and not context and len(self._clean_texts) < MAX_CLEAN_TEXTS:
                self._clean_texts.add((context, text))
            return new

        self._redactions = []
        for _ in range(MAX_ROUNDS):
            count = len(self._redactions)
            fields = text_fields.map_texts(fields, redact_field)
            if len(self._redactions) == count:
                break
        return fields, self._redactions

    def redact_text(self, text: str, context: str = "") -> str:
        """Return a text without personal data; what parsed as JSON or Python still does."""
        spans = self.find_spans(text, context)
        if not spans:
            return text
        count = len(self._redactions)
        if is_json(text):
            new = redact_json(text, context, self)
        else:
            new = self._redact_around_json(text, spans, context)
            if is_python(text) and not is_python(new):
                new = text
        if new == text:  # any replacement would break what parsed; the check reports the value
            del self._redactions[count:]
        return new

    def _redact_around_json(self, text: str, spans: Sequence[Span], context: str) -> str:
        """Return a text whose pieces of JSON stay JSON, and whose other spans are replaced."""
        parts, position = [], 0
        pieces = [(a, b) for a, b in json_pieces(text) if is_json(text[a:b])]
        for start, end in [*pieces, (len(text), len(text))]:
            between = [
                Span(s.kind, s.start - position, s.end - position)
                for s in spans
                if position <= s.start and s.end <= start
            ]
            parts.append(replace_spans(text[position:start], between, self.placeholder))
            piece = text[start:end]
            if any(s.start < end and start < s.end for s in spans):
                before = f"{context}{text[:start]}"[-_CONTEXT_LETTERS:]
                piece = redact_json(piece, before, self)
            parts.append(piece)
            position = end
        return "".join(parts)

    def placeholder(self, kind: str, value: str) -> str:
        """Return the placeholder of a value, which all writings of it share; record the change."""
        key, name = (kind, value_key(kind, value)), kind.upper()
        if key not in self._placeholders:
            self._last_numbers[name] += 1
            self._placeholders[key] = f"[{name}_{self._last_numbers[name]}]"
        new = self._placeholders[key]
        description = f"{self._path} {mask_value(kind, value)} became {new}"
        self._redactions.append(Redaction(kind, description))
        return new

    def find_spans(self, text: str, context: str = "") -> list[Span]:
        """Return the spans to replace, in order; of two that overlap, the longer."""
        candidates = list(api_keys.key_spans(text, self._allow))
        candidates += personal_spans(text, context, self._ignore, self._allow)
        chosen: list[Span] = []
        for span in sorted(candidates, key=lambda s: (s.start - s.end, s.start)):
            if all(span.end <= k.start or k.end <= span.start for k in chosen):
                chosen.append(span)
        return sorted(chosen, key=lambda s: s.start)


def replace_spans(text: str, spans: Iterable[Span], replacement: Callable[[str, str], str]) -> str:
    """Return a text with each span replaced by `replacement(kind, value)`.

    `spans` are sorted by their start. One that is empty or overlaps the one before is skipped.
    """
    parts, position = [], 0
    for span in spans:
        if position <= span.start < span.end:
            value = text[span.start : span.end]
            parts += [text[position : span.start], replacement(span.kind, value)]
            position = span.end
    return "".join([*parts, text[position:]])


def is_json(text: str) -> bool:
    """Tell whether a text is a JSON object or array."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        return isinstance(parse_strict(text), dict | list)
    except Unreadable:
        return False


def json_pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each JSON object, and each array of them, that stands in a text."""
    decoder, position = json.JSONDecoder(), 0
    for opening in islice(_JSON_OPENING.finditer(text), MAX_PIECES):
        if opening.start() < position:
            continue
        try:
            _, position = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            continue
        yield opening.start(), position


def is_python(text: str) -> bool:
    """Tell whether a text, or the code between its ``` fences, parses as Python."""
    fenced = _PYTHON_FENCE.findall(text)
    try:
        with warnings.catch_warnings(action="ignore"):
            for code in fenced or [text]:
                ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def redact_json(text: str, context: str, redactor: Redactor) -> str:
    """Return a JSON text whose strings and numbers hold no personal data.

    A number becomes a string, since no placeholder is a number. The decoded strings are searched
    first, then the text as it is written, since the checks read both. Where the result would not be
    JSON, the text is returned as it is.
    """

    def redact_token(token: re.Match[str]) -> str:
        before = f"{context}{text[: token.start()]}"[-_CONTEXT_LETTERS:]
        if not token[0].startswith('"'):
            spans = redactor.find_spans(token[0], before)
            return f'"{redactor.placeholder(spans[0].kind, token[0])}"' if spans else token[0]
        value = json.loads(token[0])
        new = redactor.redact_text(value, f'{before}"')
        return token[0] if new == value else json.dumps(new, ensure_ascii=token[0].isascii())

    redacted = _JSON_TOKEN.sub(redact_token, text)
    # Only the written form shows a value whose label stands behind it, in another string.
    spans = redactor.find_spans(redacted, context)
    if spans:
        redacted = _JSON_TOKEN.sub(lambda m: _replace_in_token(m, spans, redactor), redacted)
    return redacted if is_json(redacted) else text


def _replace_in_token(token: re.Match[str], spans: Sequence[Span], redactor: Redactor) -> str:
    """Return a JSON string or number without the spans that overlap it.

    `spans` count from the start of the whole text. They are cut to the inside of the quotes, and
    moved so that none divides an escape sequence.
    """
    overlapping = [s for s in spans if s.start < token.end() and token.start() < s.end]
    if not token[0].startswith('"'):
        if not overlapping:
            return token[0]
        return f'"{redactor.placeholder(overlapping[0].kind, token[0])}"'
    inside: list[Span] = []
    for span in overlapping:
        start = max(span.start - token.start(), 1)
        end = min(span.end - token.start(), len(token[0]) - 1)
        for escape in _JSON_ESCAPE.finditer(token[0]):
            if escape.start() < start < escape.end():
                start = escape.end()
            if escape.start() < end < escape.end():
                end = escape.end()
        inside.append(Span(span.kind, start, max(start, end)))
    return replace_spans(token[0], inside, redactor.placeholder)


def value_key(kind: str, value: str) -> str:
    """Return what all writings of one value share: the digits of a CPF, an e-mail address."""
    if kind == "email":
        return _DOT.sub(".", _AT.sub("@", value.lower())).replace(" ", "")
    if kind == "phone":
        digits = re.sub(r"\D", "", re.split(r"[xer]", value.lower())[0]).removeprefix("00")
        return digits[2:] if len(digits) in (12, 13) and digits.startswith("55") else digits
    if kind in _IGNORE_PUNCTUATION:
        return re.sub(r"[\W_]", "", value).lower()
    return value.lower() if kind == "ip" else value
