"""From a file's bytes to rows: JSONL or a JSON array; what will not parse becomes a finding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .findings import Finding

Row = tuple[int, dict[str, Any]]  # the first line, from 1, and the fields


def read(data: bytes) -> tuple[list[Row], list[Finding]]:
    """Return the rows, and a finding with its line for everything that is not one."""
    rows: list[Row] = []
    problems: list[Finding] = []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return [], [_problem(1, "encoding", "the file is UTF-16; save it as UTF-8")]
    body = data.removeprefix(b"\xef\xbb\xbf")
    values = _array(body) if body.lstrip()[:1] == b"[" else _lines(body)
    for line, value in values:
        what = value if isinstance(value, Finding) else _misshapen(line, value)
        if isinstance(what, Finding):
            problems.append(what)
        else:
            rows.append((line, what))
    return rows, problems


def _problem(line: int, kind: str, evidence: str) -> Finding:
    return Finding(None, line, kind, evidence)


def _lines(data: bytes) -> Iterator[tuple[int, Any]]:
    # bytes.split, not str.splitlines: U+2028 and friends are legal inside a JSON string.
    for line, raw in enumerate(data.split(b"\n"), start=1):
        if raw.strip():
            yield line, _value(line, raw)


def _value(line: int, raw: bytes) -> Any:
    try:
        return _decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return _problem(line, "encoding", f"byte {error.start + 1} is not UTF-8; save it as UTF-8")
    except (ValueError, RecursionError) as error:
        return _problem(line, "json", _plain(error))


def _array(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the elements of a JSON array with the lines they start on."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield line, _problem(line, "encoding", "not UTF-8; save the file as UTF-8")
        return
    position, line = text.index("[") + 1, 1
    counted = 0
    while True:
        position = _skip(text, position, " \t\r\n,")
        line, counted = line + text.count("\n", counted, position), position
        if text[position : position + 1] == "]":
            return
        try:
            value, position = _decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            reason = f"{_plain(error)}; nothing behind this line of the array could be read"
            yield line, _problem(line, "json", reason)
            return
        yield line, value


def _skip(text: str, position: int, blanks: str) -> int:
    while position < len(text) and text[position] in blanks:
        position += 1
    return position


def _misshapen(line: int, value: Any) -> Finding | dict[str, Any]:
    """Return the row, or a finding that says why it has no messages to look at."""
    if not isinstance(value, dict):
        return _problem(line, "shape", f"an object is needed here, not {_kind(value)}")
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        found = "no `messages`" if "messages" not in value else f"`messages` is {_kind(messages)}"
        return _problem(line, "shape", f"{found}; a list of role and content is needed")
    for i, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return _problem(line, "shape", f"messages[{i}] is not an object with a `role`")
        if not isinstance(message.get("content"), str | list | None):
            found = _kind(message["content"])
            return _problem(line, "shape", f"messages[{i}].content is {found}, not text")
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "a boolean"}
    if value is None or value == []:
        return "null" if value is None else "empty"
    return names.get(type(value), "a number")


def _plain(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} (column {error.colno})"
    return "nested too deeply" if isinstance(error, RecursionError) else f"not JSON: {error}"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [key for key, _ in pairs]
        twin = next(key for key in names if names.count(key) > 1)
        raise ValueError(f"the key {twin!r} stands twice in one object")
    return fields


_decoder = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_no_twins)
_decode = _decoder.decode
