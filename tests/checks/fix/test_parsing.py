"""A change that stops code from parsing is refused, and the row is left and told."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from dirty import CPF, EMAIL, prompts, read, row, write

from tunegate.config.schema import Config
from tunegate_checks.fix import redact
from tunegate_checks.fix.changes import summary_lines
from tunegate_checks.fix.pipeline import fix_files
from tunegate_checks.fix.redact import Redactor, broken_language, parses


@pytest.mark.parametrize(
    ("text", "changed", "language"),
    [
        ('{"a": 1}', '{"a": x}', "JSON"),
        ('{"a": 1, "b": 1}', '{"a": 1, "a": 1}', "JSON"),
        ("def f(n):\n    return n\n", "def [X]:\n    return n\n", "Python"),
        ("print(a)", "print([A_1)", "Python"),
        ("See:\n```python\nx = 1\n```\nok", "See:\n```python\nx = 1 2\n```\nok", "python"),
        ("```py\nx = 1\n```\n```py\ny(\n```", "```py\nx = [A]\n```\n```py\nz(\n```", ""),
        # What parses by chance is prose.
        ("14/10/1987", "08/03/1962", ""),
        ("nascimento: 14/10/1987", "nascimento: 08/03/1962", ""),
        ("Ana", "Bia Lopes", ""),
        ("x@y.com", "a b@c.com", ""),
        ("not code {", "nor this {", ""),
        ("```cobol\nMOVE 1 TO X.\n```", "```cobol\nMOVE TO.\n```", ""),
    ],
)
def test_what_no_longer_parses_is_named(text: str, changed: str, language: str) -> None:
    assert broken_language(text, changed) == language


def test_a_grammar_that_is_installed_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is a stub: a parser of it finds an error wherever a bracket stands."""
    library, grammar = ModuleType("tree_sitter"), ModuleType("tree_sitter_typescript")
    grammar.__dict__["language_typescript"] = lambda: "TS"

    class Parser:
        def __init__(self, language: str) -> None:
            assert language == "TS"

        def parse(self, code: bytes) -> Any:
            return SimpleNamespace(root_node=SimpleNamespace(has_error=b"[" in code))

    library.__dict__.update(Parser=Parser, Language=str)
    monkeypatch.setitem(sys.modules, "tree_sitter", library)
    monkeypatch.setitem(sys.modules, "tree_sitter_typescript", grammar)
    redact.tree_sitter_parser.cache_clear()
    try:
        block = "```TS\nlet n = {}\n```"
        assert broken_language(block.format("1"), block.format("[CPF_1]")) == "ts"
        assert not broken_language("```rust\nlet n = 1\n```", "```rust\nlet n = [\n```")
    finally:
        redact.tree_sitter_parser.cache_clear()


def test_real_grammars() -> None:
    pytest.importorskip("tree_sitter_javascript")
    redact.tree_sitter_parser.cache_clear()
    assert parses("js", "let cpf = 52998224725n;")
    assert not parses("js", "let cpf = [CPF_1]n;")
    assert parses("javascript", "let cpf = [CPF_1];")


def test_a_row_whose_code_would_break_is_left_whole_and_told(tmp_path: Path) -> None:
    """A placeholder is no name of a function; the address in the same row stays too."""
    clean = [row(p) for p in prompts(3)]
    code = f"def cpf_52998224725():\n    return '{EMAIL}'\n"
    bad = row(f"Write it for CPF {CPF}", code)
    (done,) = fix_files(write(tmp_path / "t.jsonl", [*clean, bad]), tmp_path / "o.jsonl")
    assert read(done.job.out) == [*clean, bad]
    told = " ".join(" ".join(summary_lines([done], Config())).split())
    assert f"left for you: not redacted, code would break, at line 4 of {tmp_path}/o.jsonl" in told
    assert "messages[2] would no longer parse as Python" in done.job.files()["diff"].read_text()


def test_arguments_of_a_call_that_would_break(tmp_path: Path) -> None:
    """Two keys of one object would be the same."""
    arguments = json.dumps({"52998224725": 1, "529.982.247-25": 2})
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    fields = row(f"CPF {CPF}")
    fields["messages"][2] = {"role": "assistant", "content": None, "tool_calls": [call]}
    done = Redactor().redact_row(fields)
    assert done.fields is fields
    assert "arguments would no longer parse as JSON" in done.refusal


def test_code_inside_json_counts_too() -> None:
    text = json.dumps({"code": "def cpf_52998224725():\n    pass\n"})
    done = Redactor().redact_row(row(f"CPF {CPF}", text))
    assert done.refusal == "messages[2] would no longer parse as Python"
