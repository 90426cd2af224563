"""Programs: JSON lines in and out, bounded in time, memory and output; their errors are told."""

import contextlib
import json
import os
import select
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.interfaces.programs import Program, ProgramFailed

PYTHON = (sys.executable, "-S", "-c")
MANY = 20_000


def script(text: str, **bounds: Any) -> Program:
    """Return a program of Python code."""
    return Program("house", (*PYTHON, text), Path(), **{"timeout": 30.0, **bounds})


def run(program: Program, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(program.exchange(lines))


@settings(max_examples=5)
@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers()), max_size=8))
def test_cat_gives_back_what_it_gets(lines: list[dict[str, Any]]) -> None:
    assert run(Program("cat", ("cat",), Path()), lines) == lines


def test_what_fits_in_no_pipe_is_written_and_read_at_once() -> None:
    lines = [{"row": n, "text": "ã" * 100} for n in range(MANY)]
    assert run(Program("cat", ("cat",), Path()), lines) == lines


def test_a_program_that_has_not_read_all_has_checked_nothing() -> None:
    lines: Iterator[dict[str, Any]] = ({"row": n, "text": "x" * 99} for n in range(MANY))
    with pytest.raises(ProgramFailed, match="ended before it had read all lines"):
        list(script("print('{}')").exchange(lines))


@pytest.mark.parametrize("error", [OSError("labels.txt"), ValueError("no label")])
def test_a_line_that_cannot_be_made_is_an_error(error: Exception) -> None:
    def lines() -> Iterator[dict[str, Any]]:
        yield {"row": 0}
        raise error

    with pytest.raises(type(error), match=str(error)):
        list(Program("cat", ("cat",), Path()).exchange(lines()))


@pytest.mark.parametrize(
    ("text", "bounds", "told"),
    [
        ("raise SystemExit('no rule file')", {}, "ended with status 1: no rule file"),
        ("print('hello')", {}, "line 1 of its output is no JSON object: hello"),
        ("print('[1]')", {}, "line 1 of its output is no JSON object: [1]"),
        ("import time; time.sleep(99)", {"timeout": 0.2}, "did nothing for 0.2 s"),
        ("x = 'x' * 10**9", {"memory": 200}, "ended with status 1: MemoryError"),
        ("print('x' * 5_000_000)", {}, "writes too much: at most 4 MB a line"),
        ("import os; os.kill(os.getpid(), 9)", {}, "ended with status -9"),
    ],
)
def test_what_goes_wrong_is_one_line(text: str, bounds: dict[str, Any], told: str) -> None:
    with pytest.raises(ProgramFailed) as failed:
        run(script(text, **bounds), [{"row": 0}])
    assert told in str(failed.value)
    assert str(failed.value).startswith("program house (")
    assert "\n" not in str(failed.value)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "rules.sh").write_text("")  # there, and not executable
    for command in ("no-such-command", "./no-such-command", "./rules.sh"):
        told = rf"cannot be run: no program '{command}': install it, or change `command`$"
        with pytest.raises(ProgramFailed, match=told):
            run(Program("house", (command, "x"), tmp_path), [])


def test_its_children_end_with_it() -> None:
    text = (
        "import subprocess as s; child = s.Popen(['sleep', '999'], stdout=s.DEVNULL)\n"
        "print('{\"pid\": %d}' % child.pid)"
    )
    (line,) = run(script(text), [])
    with contextlib.suppress(ProcessLookupError):  # gone already
        assert select.select([os.pidfd_open(line["pid"])], [], [], 60)[0]


def test_its_files_are_those_that_the_command_and_the_configuration_name(tmp_path: Path) -> None:
    for name in ("house.ts", "rules/a.ts", "rules/b.ts", "other.ts"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    program = Program("house", ("npx", "tsx", "house.ts"), tmp_path, files=("rules/*.ts",))
    names = [str(path.relative_to(tmp_path)) for path in program.source_files()]
    assert names == ["house.ts", "rules/a.ts", "rules/b.ts"]
    for command in (("x",), ("python3", "-c", "x" * 5000), ("python3", "-m", "house")):
        with pytest.raises(ProgramFailed, match="names no file of the project"):
            Program("house", command, tmp_path).source_files()
    with pytest.raises(ProgramFailed, match="files names 'lib/\\*'"):
        Program("house", ("x",), tmp_path, files=("lib/*",)).source_files()


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_a_program_of_node(tmp_path: Path) -> None:
    (tmp_path / "shout.mjs").write_text(
        "import { createInterface } from 'node:readline'\n"
        "for await (const line of createInterface({ input: process.stdin })) {\n"
        "  const request = JSON.parse(line)\n"
        "  console.log(JSON.stringify({ row: request.row, content: request.text.toUpperCase() }))\n"
        "}\n"
    )
    program = Program("shout", ("node", "shout.mjs"), tmp_path)
    lines = [{"row": n, "text": "maçã"} for n in range(3)]
    assert run(program, lines) == [{"row": n, "content": "MAÇÃ"} for n in range(3)]


def test_a_line_is_yielded_before_the_next_is_there() -> None:
    text = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    program, first = script(text), json.dumps({"row": 0})
    answers = program.exchange(iter([json.loads(first)]))
    assert next(answers) == {"row": 0}
    answers.close()  # type: ignore[attr-defined]  # ends the program
