"""Tell whether a text parses: as JSON, as Python, and its blocks of code in other languages.

JSON and Python are read by the standard library, every other language by its tree-sitter grammar
where `tree_sitter` and `tree_sitter_LANGUAGE` are installed.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import islice
from typing import Any

from tunegate.utils.strict_json import Unreadable, parse_strict

MAX_PIECES = 1000  # openings of JSON that are tried in one text
_JSON_OPENING = re.compile(r'\{\s*["}]|\[\s*[{\["]')
_BLOCK = re.compile(r"^```[ \t]*([\w+#]*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ALIASES = {
    "py": "python", "python3": "python", "js": "javascript", "jsx": "javascript", "yml": "yaml",
    "ts": "typescript", "sh": "bash", "shell": "bash", "c++": "cpp", "cs": "c_sharp", "rs": "rust",
    "c#": "c_sharp", "rb": "ruby", "golang": "go", "kt": "kotlin",
}  # fmt: skip


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
    if not program:
        return True
    statements = (s for s in body if not isinstance(s, ast.AnnAssign) or s.value)
    return any(not isinstance(s, ast.Expr) or isinstance(s.value, ast.Call) for s in statements)


@cache
def tree_sitter_parser(language: str) -> Any:
    """Return the tree-sitter parser of a language; None where it is not installed."""
    try:
        library, grammar = import_module("tree_sitter"), import_module(f"tree_sitter_{language}")
    except ImportError:
        return None
    function = getattr(grammar, "language", None) or getattr(grammar, f"language_{language}")
    return library.Parser(library.Language(function()))
