"""Parses JSON without twin keys, NaN, infinities, lone surrogates and nesting without end.

Python's decoder accepts these, and later stages drop or change them. Errors name the field's path.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .text import quote

MAX_DEPTH = 64  # levels; a chat row needs about 8, and Python's own limit depends on the call stack


class Unreadable(ValueError):
    """A row that cannot be read: the kind of finding it becomes, and the evidence."""

    def __init__(self, kind: str, evidence: str) -> None:
        super().__init__(evidence)
        self.kind, self.evidence = kind, evidence


@dataclass(frozen=True)
class _Flaw:
    """Takes the place, in a decoded value, of something that is not allowed."""

    reason: str


_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json_text(value: Any) -> Any:
    """Return the JSON array or object that a text may hold; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def parse_strict(text: str, line: int = 1) -> Any:
    """Return the value of a JSON text that starts on `line` of its file; raise Unreadable."""
    try:
        try:
            value = _strict.decode(text)
        except _Refused:
            _raise_first_flaw(_lenient.decode(text))
            raise
        # Walking every value would double the cost of reading: only look where it could matter.
        if text.count("[") + text.count("{") > MAX_DEPTH or _ESCAPED_SURROGATE.search(text):
            _raise_first_flaw(value)
    except json.JSONDecodeError as error:
        location = f"line {line + error.lineno - 1}, character {error.pos + 1} of the row"
        reason = f"not JSON: {_syntax_error_reason(text, error)} ({location})"
        raise Unreadable("json", reason) from None
    except RecursionError:
        raise Unreadable("json", f"nested more than {MAX_DEPTH} levels deep") from None
    return value


def find_objects(text: str, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Return the wanted outermost JSON objects among words; Unreadable for a twin key or NaN."""
    found, start = [], text.find("{")
    while start >= 0:
        try:
            value, end = _embedded.raw_decode(text, start)
        except json.JSONDecodeError:
            value, end = {}, start + 1
        except (_Refused, RecursionError) as error:
            raise Unreadable("json", f"not JSON: {error}") from None
        found += [value] if wanted(value) else []
        start = text.find("{", end if wanted(value) else start + 1)
    return found


def to_json_line(fields: Mapping[str, Any]) -> bytes:
    """Return a row as compact JSON, dates as text; raise Unreadable for what no text of it is."""
    try:
        return _ENCODER.encode(fields).encode()
    except UnicodeEncodeError:
        raise Unreadable("encoding", "a field is not UTF-8; save the file as UTF-8") from None
    except ValueError:
        raise Unreadable("json", "a field holds NaN or an infinity, which JSON lacks") from None


def json_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as JSON Lines, each as `to_json_line` writes it."""
    return b"".join(to_json_line(fields) + b"\n" for fields in rows)


def _to_json_value(value: Any) -> Any:
    """Return a NumPy or pandas value as what JSON has: a number, a list, or its text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_to_json_value
)


def _syntax_error_reason(text: str, error: json.JSONDecodeError) -> str:
    """Return what is wrong with a text that is not JSON, by the faults that files really have."""
    if "\0" in text:
        return "it holds NUL bytes; the file is damaged, or not text"
    if text.strip() == "{":
        return "an object broken over lines; write one row a line (jq -c . FILE)"
    if error.msg.startswith("Extra data"):
        return "something follows the value; one row a line is needed"
    if not text.strip():
        return "no value here: there is a comma too many"
    is_cut_off = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
    message = re.sub(" (starting )?at$", "", error.msg[:1].lower() + error.msg[1:])
    return f"{message}; is the row cut off?" if is_cut_off else message


def _raise_first_flaw(value: Any) -> None:
    """Raise Unreadable, with the path, for the first thing in a value that is not allowed."""
    pending: list[tuple[str, int, Any]] = [("", 1, value)]
    while pending:  # a loop: recursion would fail where the nesting is deepest
        path, depth, value = pending.pop()
        reason = ""
        if isinstance(value, _Flaw):
            reason = value.reason
        elif isinstance(value, str) and _SURROGATE.search(value):
            reason = "half of a surrogate pair (\\ud800 to \\udfff), which is no character"
        elif isinstance(value, dict | list) and depth > MAX_DEPTH:
            path, reason = "", f"nested more than {MAX_DEPTH} levels deep"
        elif isinstance(value, dict | list):
            pending += [(p, depth + 1, v) for p, v in reversed(list(_children(path, value)))]
        if reason:
            raise Unreadable("json", f"{path}: {reason}" if path else reason)


def _children(path: str, value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of each item; a key with a lone surrogate yields a flaw too."""
    if isinstance(value, list):
        yield from ((f"{path}[{i}]", item) for i, item in enumerate(value))
        return
    for key, item in value.items():
        name = key if key.isidentifier() and len(key) <= 40 else quote(key)
        child_path = f"{path}.{name}" if path else name
        if _SURROGATE.search(key):
            yield path, _Flaw("a key with half of a surrogate pair, which is no character")
        yield child_path, item


class _Refused(ValueError):
    """Ends the strict decoder, which knows no paths: the lenient one then finds the place."""


def _refuse(reason: str) -> Any:
    raise _Refused(reason)


def _decoder(refuse: Callable[[str], Any], *, strict: bool = True) -> json.JSONDecoder:
    """Return a decoder that calls `refuse` with the reason for each thing that is not allowed."""

    def finite(digits: str) -> Any:
        number = float(digits)
        return number if math.isfinite(number) else refuse("a number beyond 1.8e308")

    def short_integer(digits: str) -> Any:
        # Python itself refuses to convert more than 4,300 digits, as a guard against attacks.
        return int(digits) if len(digits) < 400 else refuse("a number of 400 digits or more")

    def unique_keys(items: list[tuple[str, Any]]) -> Any:
        fields = dict(items)
        if len(fields) == len(items):
            return fields
        duplicate = Counter(key for key, _ in items).most_common(1)[0][0]
        return refuse(f"the key {quote(duplicate)} stands twice in one object")

    def constant(name: str) -> Any:
        return refuse(f"{name} is not JSON; leave the field out or write null")

    hooks: dict[str, Any] = {"parse_float": finite, "parse_int": short_integer}
    hooks |= {"parse_constant": constant, "object_pairs_hook": unique_keys}
    return json.JSONDecoder(strict=strict, **hooks)


_strict, _lenient, _embedded = _decoder(_refuse), _decoder(_Flaw), _decoder(_refuse, strict=False)
