"""Models without a heavy library: answers from a file, and a Python function."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tunegate.interfaces.builtin_models import open_file, open_function
from tunegate.interfaces.model import Model, ModelUnknown, Request


def said(model: Model, n: int) -> list[tuple[str, str]]:
    requests = [Request(i, [{"role": "user", "content": f"q{i}"}]) for i in range(n)]
    return [(answer.text, answer.error) for answer in model.answers(requests)]


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n\n{"text": "ção"}\n', "utf-8")
    model = open_file("a.jsonl", tmp_path)
    assert said(model, 3) == [("a", ""), ("ção", ""), ("", "the file ends at line 2")]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"text": "a"}\n{"answer": "b"}\n', 'line 2: need {"text": "the answer"}, one per line'),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, data: bytes, error: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    with pytest.raises(ModelUnknown, match=error):
        open_file("a.jsonl", tmp_path)
    with pytest.raises(ModelUnknown, match="is not a file"):
        open_file("b.jsonl", tmp_path)


FUNCTIONS = """
def last(messages): return messages[-1]["content"].upper()
def broken(messages): raise ValueError("two\\nlines")
"""


def test_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_functions.py").write_text(FUNCTIONS)
    assert said(open_function("own_functions:last", tmp_path), 1) == [("Q0", "")]
    broken = open_function("own_functions:broken", tmp_path)
    assert said(broken, 1) == [("", "ValueError: two lines")]
    for rest in ("own_functions:none", "no_such_module:f", "own_functions"):
        with pytest.raises(ModelUnknown, match="write python:MODULE:FUNCTION"):
            open_function(rest, tmp_path)
    with pytest.raises(ModelUnknown, match="no source to take a digest of"):
        open_function("math:sqrt", tmp_path)
