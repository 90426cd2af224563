"""Replace personal data and keys with placeholders, in every text of a row that the checks read.

A value found once is replaced wherever it stands in its row, however it is written, and in other
rows where nothing else can be meant. In `[EMAIL_1]` one value has one number, and no other value
has it. JSON stays JSON, inside of a text too. A row in which code would no longer parse is left.
"""

import ast
import hmac
import json
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import InitVar, dataclass
from functools import cache
from importlib import import_module
from itertools import islice
from typing import Any, NamedTuple

from tunegate.data.formats.row_format import Fields
from tunegate.utils.strict_json import Unreadable, parse_strict

from ..detect import api_keys
from ..detect.engine import decoded, mask_value, personal_spans
from ..detect.rule import Span, read_toml
from ..text import text_fields
from .values import KnownValues, invent, is_exact, value_key

MAX_ROUNDS = 6  # one replacement can expose another value; more than two rounds are rare
MAX_CLEAN_TEXTS = 1000
MAX_SEEDS = 100  # invented values of which one is nobody else's in the data
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')  # string or number
_CONTEXT_LETTERS = 160  # characters before a value in JSON that may name its kind
_PLACEHOLDER = re.compile(r"\[([A-Z][A-Z\d_]*)_(\d{1,11})\]")  # keyed ones have 12 digits
MAX_PIECES = 1000  # openings of JSON that are tried in one text
_JSON_OPENING = re.compile(r'\{\s*["}]|\[\s*[{\["]')
_BLOCK = re.compile(r"^```[ \t]*([\w+#]*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ALIASES = read_toml(__file__)  # grammars of tree-sitter, by other names that blocks of code have
Value = tuple[str, str]  # its kind, and what all its writings share


class RedactedRow(NamedTuple):
    """A row without personal data; or as it was, where `refusal` says what would not parse."""

    fields: Fields
    redactions: list[tuple[str, str]]  # the kind; in words where, the mask and the placeholder
    refusal: str = ""


@dataclass(eq=False, repr=False)
class Redactor:
    """Replaces what `pii.find` and `secrets.find` report; hints of the latter stay.

    `ignore` and `allow` are those of `pii.find`, and `allow` that of `secrets.find`. The values of
    each kind are numbered behind the placeholders that stand in `texts`; with a `key`, by a digest
    that is the same in every run with this key and leads back with it alone. With `surrogates`,
    invented values stand in place of placeholders; with `believes_rows` those of a row's list too.
    """

    texts: InitVar[Iterable[str]] = ()
    ignore: Collection[str] = ()
    allow: Collection[str] = ()
    key: bytes = b""
    surrogates: bool = False
    names: str = ""
    believes_rows: bool = False

    def __post_init__(self, texts: Iterable[str]) -> None:
        self._values: dict[Value, str] = {}  # as each was written first
        self._placeholders: dict[Value, str] = {}
        self._owners: dict[Value, Value] = {}  # by invented value
        self._invented_before: set[str] = set()  # by other runs, nobody knows for which values
        self._last_numbers: Counter[str] = Counter()
        for text in texts:
            for kind, number in _PLACEHOLDER.findall(text):
                self._last_numbers[kind] = max(self._last_numbers[kind], int(number))
        self._clean_texts: set[str] = set()  # system prompts, which all rows share
        self._clean_rows: dict[int, Fields] = {}  # by id: they hold no value
        self._known = KnownValues()  # in every row
        self._start_row({})

    def _start_row(self, fields: Fields) -> None:
        self.known_in_row = KnownValues()
        self._redactions: list[tuple[str, str]] = []
        self._surrogates_of_row: list[str] = []
        self._let_stand = text_fields.surrogates_of(fields) if self.believes_rows else set[str]()
        # A field of this name that is no list is the user's.
        self._invents = self.surrogates and isinstance(fields.get(text_fields.SURROGATES, []), list)
        self._path = self._refusal = ""

    def collect(self, rows: Iterable[Fields]) -> None:
        """Learn the values of all rows, so that each can then be redacted by itself."""
        surrogates, self.surrogates = self.surrogates, False
        for fields in rows:
            done = self.redact_row(fields)
            self._invented_before |= set() if self.key else text_fields.surrogates_of(fields)
            if not done.redactions and not done.refusal:
                self._clean_rows[id(fields)] = fields
        self.surrogates = surrogates
        for (kind, _), value in self._values.items():
            self._known.add(kind, value, only_unique=True)

    def redact_row(self, fields: Fields) -> RedactedRow:
        """Return the row without personal data, and what was replaced; if none, the row itself."""
        texts = (field.text for field in text_fields.iter_texts(fields))
        if id(fields) in self._clean_rows and not any(map(self._known.spans, texts)):
            return RedactedRow(fields, [])

        def redact_field(path: str, context: str, text: str) -> str:
            self._path = path
            return self.redact_text(text, context)

        self._start_row(fields)
        new_fields = fields
        # A placeholder's length can bring a number near to a label, a later text tell a value.
        for _ in range(MAX_ROUNDS):
            count = len(self._redactions)
            new_fields = text_fields.map_texts(new_fields, redact_field)
            if len(self._redactions) == count:
                break
        if self._refusal:
            return RedactedRow(fields, [], self._refusal)
        if self._surrogates_of_row:
            listed = [*new_fields.get(text_fields.SURROGATES, ()), *self._surrogates_of_row]
            new_fields = new_fields | {text_fields.SURROGATES: [*dict.fromkeys(listed)]}
        return RedactedRow(new_fields, self._redactions)

    def redact_text(self, text: str, context: str = "") -> str:
        """Return a text without personal data, or as it is where code would no longer parse."""
        if not (spans := self.find_spans(text, context)):
            return text
        new = self._redact_spans(text, context, spans)
        if language := broken_language(text, new):
            self._refusal = f"{self._path} would no longer parse as {language}"
        return text if language else new

    def _redact_spans(self, text: str, context: str, spans: Sequence[Span]) -> str:
        """Return a text with its spans replaced; a piece of JSON is redacted by itself."""
        if is_json(text):
            return redact_json(text, context, spans, self)
        pieces = [Span("", a, b) for a, b in json_pieces(text) if is_json(text[a:b])]
        pieces = [piece for piece in pieces if any(piece.overlaps(span) for span in spans)]
        free = [span for span in spans if not any(span.overlaps(piece) for piece in pieces)]
        parts, position = [], 0
        for span in sorted([*pieces, *free], key=lambda s: s.start):
            parts.append(text[position : span.start])
            value, position = text[span.start : span.end], span.end
            before = f"{context}{text[: span.start]}"[-_CONTEXT_LETTERS:]
            kind, is_piece = span.kind, not span.kind
            new = self.redact_text(value, before) if is_piece else self.placeholder(kind, value)
            parts.append(new)
        return "".join([*parts, text[position:]])

    def placeholder(self, kind: str, value: str) -> str:
        """Return what replaces a value, in all its writings the same; record the change."""
        value = decoded(value)[0]
        written = (known.value_of(kind, value) for known in (self.known_in_row, self._known))
        known = next(filter(None, written), (kind, value_key(kind, value)))
        self.known_in_row.add(kind, self._values.setdefault(known, value))
        if known not in self._placeholders:
            self._placeholders[known] = f"[{kind.upper()}_{self._number(*known)}]"
        new = self._surrogate(known, value) or self._placeholders[known]
        self._redactions.append((kind, f"{self._path} {mask_value(kind, value)} became {new}"))
        return new

    def _number(self, kind: str, value: str) -> str:
        """Return the next number of a kind; with a key a digest of the value."""
        if self.key:
            digest = hmac.digest(self.key, f"{kind} {value}".encode(), "sha256")
            return f"{int.from_bytes(digest) % 10**12:012}"
        self._last_numbers[kind.upper()] += 1
        return str(self._last_numbers[kind.upper()])

    def _surrogate(self, known: Value, value: str) -> str:
        """Return an invented value that is no other's, here or in the data; "" where none is."""
        for n in range(MAX_SEEDS if self._invents else 0):
            new = invent(known[0], value, f"{self._placeholders[known]} {n}", self._values[known])
            if not new:
                break
            invented, letters = (known[0], value_key(known[0], new)), text_fields.squeeze(new)
            if invented in self._values or letters in self._invented_before:
                continue
            if self._owners.setdefault(invented, known) == known:
                self._surrogates_of_row.append(new)
                self._let_stand.add(letters)
                return new
        return ""

    def find_spans(self, text: str, context: str = "") -> list[Span]:
        """Return the spans to replace, in order; of two that overlap, the longer."""
        candidates: list[Span] = []
        if context or text not in self._clean_texts:
            candidates += api_keys.key_spans(text, self.allow)
            candidates += personal_spans(text, context, self.ignore, self.allow, names=self.names)
            if not context and not candidates and len(self._clean_texts) < MAX_CLEAN_TEXTS:
                self._clean_texts.add(text)
        public = {value.lower() for value in self.allow}
        known = (*self.known_in_row.spans(text), *self._known.spans(text))
        candidates += [s for s in known if text[s.start : s.end].lower() not in public]
        chosen: list[Span] = []
        for span in sorted(candidates, key=lambda s: (s.start - s.end, s.start)):
            value = text_fields.squeeze(text[span.start : span.end])
            stands = value in self._let_stand and not is_exact(span.kind)
            if not stands and not any(map(span.overlaps, chosen)):
                chosen.append(span)
        return sorted(chosen, key=lambda s: s.start)


def redact_json(text: str, context: str, spans: Iterable[Span], redactor: Redactor) -> str:
    """Return a JSON text without personal data; a number becomes a string or an invented number."""

    def redact_token(token: re.Match[str]) -> str:
        before = f"{context}{text[: token.start()]}"[-_CONTEXT_LETTERS:]
        if token[0].startswith('"'):
            value = json.loads(token[0])
            new = redactor.redact_text(value, f'{before}"')
            return token[0] if new == value else json.dumps(new, ensure_ascii=token[0].isascii())
        found = redactor.find_spans(token[0], before)
        new = redactor.placeholder(found[0].kind, token[0]) if found else token[0]
        return new if new.isdecimal() or not found else f'"{new}"'

    # Of the text as it is written: it alone shows a value whose label stands in another string.
    for span in spans:
        redactor.known_in_row.add(span.kind, decoded(text[span.start : span.end])[0])
    return _JSON_TOKEN.sub(redact_token, text)


# Whether a text parses. JSON and Python are read by the standard library, every other language by
# its tree-sitter grammar where `tree_sitter` and `tree_sitter_LANGUAGE` are installed.


def is_json(text: str) -> bool:
    """Tell whether a text is a JSON object or array."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    with suppress(Unreadable):
        return isinstance(parse_strict(text), dict | list)
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


def broken_language(text: str, changed: str) -> str:
    """Return the language in which a text parses and its changed form does not; "" for none."""
    if is_json(text):
        return "" if is_json(changed) else "JSON"
    blocks, changed_blocks = _BLOCK.findall(text), _BLOCK.findall(changed)
    if not blocks:
        return "Python" if is_python(text, program=True) and not is_python(changed) else ""
    for (language, code), (_, changed_code) in zip(blocks, changed_blocks, strict=False):
        name = language.lower()
        if code != changed_code and parses(name, code) and not parses(name, changed_code):
            return str(name)
    return ""


def parses(language: str, code: str) -> bool:
    """Tell whether code parses in the language of its block; False where nothing here reads it."""
    language = _ALIASES.get(language, language)
    parser = tree_sitter_parser(language) if language != "python" else None
    if parser is None:
        return language == "python" and is_python(code)
    return not parser.parse(code.encode()).root_node.has_error


def is_python(text: str, program: bool = False) -> bool:
    """Tell whether a text is Python; a program also calls, defines or assigns: "a/b" does not."""
    try:
        with warnings.catch_warnings(action="ignore"):
            body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    statements = (s for s in body if not isinstance(s, ast.AnnAssign) or s.value)
    acts = (not isinstance(s, ast.Expr) or isinstance(s.value, ast.Call) for s in statements)
    return not program or any(acts)


@cache
def tree_sitter_parser(language: str) -> Any:
    """Return the tree-sitter parser of a language; None where it is not installed."""
    try:
        library, grammar = import_module("tree_sitter"), import_module(f"tree_sitter_{language}")
    except ImportError:
        return None
    function = getattr(grammar, "language", None) or getattr(grammar, f"language_{language}")
    return library.Parser(library.Language(function()))
