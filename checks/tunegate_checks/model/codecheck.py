"""Check answers that are code: by a parser, or by a command such as a compiler."""

import os
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tunegate import ConfigError, Finding, Findings, Prediction, Predictions, Score
from tunegate.utils.processes import end_session, last_line
from tunegate.utils.strict_json import Unreadable, parse_strict
from tunegate.utils.text import fenced_block

from ..stats import share

SIGNATURE = "code: the one ``` block of an answer, else all of it"
# Commands that parse and run nothing, and how the name of their file ends.
COMMANDS = {
    "bash": ("bash -n {file}", ".sh"),
    "javascript": ("node --check {file}", ".mjs"),
    "typescript": ("tsc --noEmit --noCheck {file}", ".ts"),
}
LANGUAGES = ("python", "json", *COMMANDS)
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")  # never API keys
FILE_PLACEHOLDER = "{file}"
MAX_SHOWN_LETTERS = 120  # of the last line of its output

FindProblem = Callable[[str], str]  # code -> why it does not pass, "" where it does


def parses(
    predictions: Predictions, language: str = "python", command: Sequence[str] = ()
) -> Score:
    """Return the share of answers that parse, as Python (by `ast`, of this version) or JSON.

    Of the languages in COMMANDS those count that the command there passes, which must be on the
    PATH; a `command` of your own takes its place. Nothing of the answers is run by these. Raises
    ConfigError for another language, and for a command that cannot be run.
    """
    if language not in LANGUAGES:
        valid = ", ".join(LANGUAGES)
        raise ConfigError(f"language is {language!r}; valid: {valid}; others: passes(command)")
    usual, suffix = COMMANDS.get(language, ("", ".txt"))
    if words := [*command] or usual.split():
        return passes(predictions, words, suffix=suffix)
    find = _python_problem if language == "python" else _json_problem
    return _pass_score(f"parses as {language}", predictions, find, f"{language}; {SIGNATURE}")


def passes(
    predictions: Predictions, command: Sequence[str], *, timeout: float = 10, suffix: str = ".txt"
) -> Score:
    """Return the share of answers on which a command ends with status 0.

    The command is a list of words, run without a shell in an empty folder. Where a word is
    `{file}`, the code is written to that file (its name ends in `suffix`); else it comes on
    standard input. After `timeout` seconds the command and its children are killed, and the answer
    does not pass. The environment has PATH, a HOME in that folder and the locale, but no API keys.
    This is no sandbox: a command that runs the code of a model belongs into a container. Raises
    ConfigError for a command that cannot be run.
    """
    if isinstance(command, str) or not command:
        example = "['node', '--check', '{file}']"
        raise ConfigError(f"command is {command!r}; a list of words: {example}")
    find = partial(_run_command, [*command], timeout=timeout, suffix=suffix)
    signature = f"{' '.join(command)}, {timeout:g} s; {SIGNATURE}"
    return _pass_score(f"passes {command[0]}", predictions, find, signature)


def _pass_score(name: str, predictions: Predictions, find: FindProblem, signature: str) -> Score:
    """Return the share of answers in which `find` finds none; it runs in threads."""

    def check_answer(p: Prediction) -> Finding | None:
        if p.error:
            return p.finding("no answer", p.error)
        problem = find(fenced_block(p.got)) if p.got.strip() else "the answer is empty"
        return p.finding("code", problem) if problem else None

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        problems = [*pool.map(check_answer, predictions)]
    failing = Findings(name, filter(None, problems), split="test", n=len(predictions))
    hits = [problem is None for problem in problems]
    return share(name, hits, predictions, misses=failing, signature=signature)


def _python_problem(text: str) -> str:
    import ast

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning: "is" with a literal
            ast.parse(text)
    except SyntaxError as error:
        return f"{error.msg}, line {error.lineno} of the code"
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes, deep nesting
        return f"cannot be parsed: {error or type(error).__name__}"
    return ""


def _json_problem(text: str) -> str:
    try:
        parse_strict(text)
    except Unreadable as error:
        return error.evidence
    return ""


def _run_command(command: list[str], text: str, timeout: float, suffix: str) -> str:
    """Return "" where the command ends with status 0, else why not, in one line; see `passes`."""
    # The output goes to a file: a child that outlives the command would hold a pipe open.
    with (
        tempfile.TemporaryDirectory(prefix="tunegate-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as stdin_file,
    ):
        path = Path(folder) / f"answer{suffix}"
        if any(FILE_PLACEHOLDER in argument for argument in command):
            path.write_text(text, "utf-8", errors="replace")
        else:
            stdin_file.write(text.encode(errors="replace"))
            stdin_file.seek(0)
        arguments = [argument.replace(FILE_PLACEHOLDER, str(path)) for argument in command]
        kept_variables = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        try:
            process = subprocess.Popen(
                arguments, stdin=stdin_file, stdout=output, stderr=output, cwd=folder,
                env={**kept_variables, "HOME": folder, "TMPDIR": folder}, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            advice = "install it, put it on the PATH, or change command or language in [limits]"
            reason = f"command {arguments[0]!r} cannot be run: {error.strerror}; {advice}"
            raise ConfigError(reason) from None
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"{arguments[0]} took longer than {timeout:g} s"
        finally:
            end_session(process)
        if not status:
            return ""
        last = last_line(output, MAX_SHOWN_LETTERS)
        return f"{arguments[0]} ended with {status}{last and f': {last}'}"
