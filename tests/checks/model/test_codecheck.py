"""Code: parsed, never run; a command of one's own, run with real processes."""

import os
import runpy
import shutil
import sys
from pathlib import Path
from typing import get_args

import pytest
from predicted import predicted

from tunegate import ConfigError, Limits
from tunegate.utils.text import fenced_block
from tunegate_checks.model import codecheck

PYTHON, ROOT = sys.executable, Path(__file__).parents[3]


def why(got: str, *command: str, **options: object) -> str:
    score = codecheck.passes(predicted([("", got)]), list(command), **options)  # type: ignore[arg-type]
    assert score.misses is not None
    return score.misses[0].evidence if score.misses else ""


@pytest.mark.parametrize(
    ("answer", "parses"),
    [
        ("def f(x):\n    return x", True),
        ("Here it is:\n\n```python\nx = 1\n```\n\nEnjoy!", True),
        ("```\nx = 1\n```", True),
        ("x is 1", True),
        ("def f(x) return x", False),
        ("Sure! def f(x): ...", False),
        ("x = '\0'", False),
        ("(" * 5_000, False),
        ("", False),
    ],
)
def test_what_parses_as_python(answer: str, parses: bool) -> None:
    assert float(codecheck.parses(predicted([("", answer)]))) == parses


def test_a_miss_says_why() -> None:
    score = codecheck.parses(predicted([("", "x = 1"), ("", "x =\n")]))
    assert [(m.line, m.evidence) for m in score.misses or ()] == [
        (2, "invalid syntax, line 1 of the code")
    ]
    assert (score.hits, score.n) == (1, 2)


def test_json_parses_too_and_nothing_else() -> None:
    assert float(codecheck.parses(predicted([("", '{"a": 1}'), ("", "{")]), "json")) == 0.5
    with pytest.raises(ConfigError, match="language is 'rust'; valid: python, json, bash"):
        codecheck.parses(predicted([]), "rust")


def test_two_blocks_are_left_as_they_are() -> None:
    assert fenced_block("```\na\n```\n```\nb\n```") == "```\na\n```\n```\nb\n```"


def test_a_command_reads_the_code_on_standard_input_or_in_a_file() -> None:
    check = "import sys; sys.exit(0 if sys.stdin.read() == 'x = 1' else 3)"
    rows = predicted([("", "x = 1"), ("", "x = 2")])
    score = codecheck.passes(rows, [PYTHON, "-c", check])
    assert [m.line for m in score.misses or ()] == [2]
    named = (
        "import sys; text = open(sys.argv[1]).read();"
        "print('no x', sys.argv[1][-3:]); sys.exit(text != 'x = 1')"
    )
    assert why("x = 1", PYTHON, "-c", named, "{file}", suffix=".py") == ""
    assert why("x = 2", PYTHON, "-c", named, "{file}", suffix=".py").endswith(
        "ended with 1: no x .py"
    )


def test_no_shell_reads_the_words() -> None:
    check = "import sys; sys.exit(sys.argv[1] != '$(echo hi); true')"
    assert why("x", PYTHON, "-c", check, "$(echo hi); true") == ""


def test_it_runs_in_a_folder_of_its_own_without_the_keys_of_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    here = os.getcwd()
    check = f"import os, sys; sys.exit('OPENAI_API_KEY' in os.environ or os.getcwd() == {here!r})"
    assert why("x", PYTHON, "-c", check) == ""


def test_what_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    check = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\n"
        "child.wait()"
    )
    told = why("x", PYTHON, "-c", check, timeout=1.0)
    assert told.endswith("took longer than 1 s")
    if pid.exists():  # a busy machine may kill it before it has a child
        with pytest.raises(ProcessLookupError):
            _wait_for_the_end(int(pid.read_text()))


def _wait_for_the_end(pid: int) -> None:
    """Ask until the process is gone; an orphan is buried by init a moment after it was killed."""
    for _ in range(200_000):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            raise ProcessLookupError


def test_a_command_that_is_not_there_is_told_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^command 'no-such-thing' cannot be run: No such file"):
        why("x", "no-such-thing")
    with pytest.raises(ConfigError, match="a list of words"):
        codecheck.passes(predicted([("", "x")]), "node --check")


def test_errors_are_no_failures_of_the_code() -> None:
    score = codecheck.parses(predicted([("", "x = 1")] * 4, errors=[1]))
    assert (float(score), score.best_case) == (0.75, 1.0)


def test_the_configuration_knows_the_languages_and_the_suite_heeds_them() -> None:
    field = Limits.model_fields["language"].annotation
    assert get_args(field) == codecheck.LANGUAGES
    suite = runpy.run_path(str(ROOT / "suites/model/test_code.py"))["test_parses"]
    right, wrong = predicted([("", "if true; then echo; fi")]), predicted([("", "if true; then")])
    suite(right, Limits(language="bash"))
    with pytest.raises(AssertionError):
        suite(wrong, Limits(language="bash"))
    command = [PYTHON, "-c", "import sys; sys.exit(sys.argv[1][-3:] != '.ts')", "{file}"]
    suite(wrong, Limits(language="typescript", command=command))
    with pytest.raises(AssertionError):
        suite(right, Limits(command=command))


@pytest.mark.parametrize(("language", "good", "bad"), [
    ("bash", "for i in a; do echo $i; done", "for i in a; do"),
    ("javascript", "import x from './y.js'; export const f = (a) => a?.b ?? 1;", "const = 1;"),
    ("typescript", "const x: number = f('a'); export { x };", "const x: number = (1;"),
])  # fmt: skip
def test_other_languages_are_parsed_by_their_command(language: str, good: str, bad: str) -> None:
    if not shutil.which(codecheck.COMMANDS[language][0].split()[0]):
        pytest.skip("its command is not on the PATH")
    answers = [good, f"```{language}\n{good}\n```", bad]
    score = codecheck.parses(predicted([("", answer) for answer in answers]), language)
    assert [m.line for m in score.misses or ()] == [3]


def test_a_command_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match=r"'tsc' cannot be run: .*put it on the PATH, or change"):
        codecheck.parses(predicted([("", "x")]), "typescript")
