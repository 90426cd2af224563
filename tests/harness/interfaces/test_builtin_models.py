"""Models without a heavy library: answers from a file, and a Python function."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tunegate.interfaces.builtin_models import FileModel, open_function
from tunegate.interfaces.model import Answer, Model, ModelUnknown, Request


def said(model: Model, n: int) -> list[tuple[str, str]]:
    requests = [Request(i, [{"role": "user", "content": f"q{i}"}]) for i in range(n)]
    return [(answer.text, answer.error) for answer in model.answers(requests)]


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n\n{"text": "ção"}\n', "utf-8")
    model = FileModel("a.jsonl", tmp_path)
    assert said(model, 2) == [("a", ""), ("ção", "")]


@pytest.mark.parametrize("letter", ["\u2028", "\x85", "\x0b", "\x1c", "\ufeff"])
def test_a_line_ends_at_a_line_feed_alone(tmp_path: Path, letter: str) -> None:
    text = json.dumps({"text": f"one{letter}two"}, ensure_ascii=False)
    (tmp_path / "a.jsonl").write_text(text, "utf-8-sig")
    assert said(FileModel("a.jsonl", tmp_path), 1) == [(f"one{letter}two", "")]


def test_a_file_holds_messages_too(tmp_path: Path) -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    row = {"content": None, "tool_calls": [call], "reasoning_content": "hm", "request": "d"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    ((asked, answer),) = FileModel("a.jsonl", tmp_path).lines
    assert (answer.tool_calls, answer.reasoning, asked) == ([call], "hm", "d")


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
        FileModel("a.jsonl", tmp_path)
    with pytest.raises(ModelUnknown, match="is not a file"):
        FileModel("b.jsonl", tmp_path)


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


REPLIES = """
async def later(messages): return "x"
def message(messages): return {"content": None, "tool_calls": [{"name": "f", "arguments": {}}]}
def tools(messages, tools): return tools[0]["function"]["name"]
def label(messages): return {"label": "x"}
def nothing(messages): return None
def data(messages): return b"x"
def number(messages): return 7
def leaves(messages): raise SystemExit(3)
"""


def test_what_a_function_may_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_replies.py").write_text(REPLIES)
    request = Request(3, [{"role": "user", "content": "q"}], tools=[{"function": {"name": "t"}}])

    def reply(name: str) -> Answer:
        (answer,) = open_function(f"own_replies:{name}", tmp_path).answers([request])
        assert answer.row == 3
        return answer

    assert [reply(name).text for name in ("later", "tools")] == ["x", "t"]
    assert reply("message").tool_calls == [{"name": "f", "arguments": {}}]
    for name, kind in (
        ("label", "dict"),
        ("nothing", "NoneType"),
        ("data", "bytes"),
        ("number", "int"),
    ):
        assert reply(name).error.startswith(f"TypeError: returned {kind}, not a text or a message")
    assert reply("leaves").error == "SystemExit: 3"


BROKEN = {
    "def f(:\n": r"SyntaxError: .*\(own_broken_0.py, line 1\)",
    "import os\nos.environ['NOT_THERE']\n": r"KeyError: 'NOT_THERE' \(.*own_broken_1.py, line 2\)",
    "raise SystemExit(1)": r"SystemExit: 1 \(.*own_broken_2.py, line 1\)",
}


@pytest.mark.parametrize("n", range(len(BROKEN)))
def test_an_error_of_an_import_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    source, error = list(BROKEN.items())[n]
    (tmp_path / f"own_broken_{n}.py").write_text(source)
    with pytest.raises(ModelUnknown, match=error) as raised:
        open_function(f"own_broken_{n}:f", tmp_path)
    assert "\n" not in str(raised.value)


PROJECT = {
    "own_app.py": "from own_pack import near\ndef one(m): return near.word()\ndef two(m): pass",
    "own_pack/__init__.py": "",
    "own_pack/near.py": "def word():\n    from .far import WORD\n    return WORD",
    "own_pack/far.py": "WORD = 'far'",
    "own_pack/apart.py": "WORD = 'apart'",
    "own_unused.py": "",
}


def test_what_is_installed_in_the_project_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment often lies in the project; and a module may lie outside of it."""
    packages, outside = tmp_path / "app/.venv/lib/site-packages", tmp_path / "outside"
    for folder in (packages, outside):
        folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(packages), str(outside)])
    (packages / "own_installed.py").write_text("WORD = 1")
    (tmp_path / "app/own_user.py").write_text("import own_installed\ndef f(m): return ''")
    (outside / "own_outside.py").write_text("def f(m): return ''\nWORD = 3")
    before = open_function("own_user:f", tmp_path / "app").digest
    (packages / "own_installed.py").write_text("WORD = 2")
    assert open_function("own_user:f", tmp_path / "app").digest == before
    assert said(open_function("own_outside:f", tmp_path / "app"), 1) == [("", "")]
    with pytest.raises(ModelUnknown, match="TypeError: 3 is not a callable object"):
        open_function("own_outside:WORD", tmp_path / "app")


def test_the_digest_holds_the_function_and_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name, source in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)

    def digest(name: str = "one") -> str:
        return open_function(f"own_app:{name}", tmp_path).digest

    first = digest()
    assert digest("two") != first
    for name, counts in {
        "own_unused.py": False,
        "own_pack/apart.py": False,
        "own_pack/far.py": True,  # imported by what is imported, and inside a function
        "own_pack/near.py": True,
        "own_pack/__init__.py": True,
    }.items():
        (tmp_path / name).write_text(PROJECT[name] + "\n# changed")
        assert (digest() != first) == counts, name
        (tmp_path / name).write_text(PROJECT[name])
    assert digest() == first
