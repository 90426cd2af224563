"""Plants small faults into files, one at a time, and prints which of them the tests see.

    python tools/mutate.py FILE... --tests TESTS... [--number 20] [--seed 0] [--preload MODULE...]
    python tools/mutate.py harness/tunegate/storage/state_dir.py --tests tests/harness/storage

Run it in the root of the checkout; the faults go into a temporary copy of it. TESTS, files and
folders, are first run without a fault to learn which lines each test executes; faults are planted
on executed lines only, and each is shown to the tests that execute its line, then to all. Tests
marked slow are left out. A test run that takes too long has seen its fault.

Not mutmut: version 3 leaves code outside of functions alone, and tries all faults; not cosmic-ray:
it changes the tree itself.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

COMPARISONS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
# Installed packages take most of the time that a short test file takes. They are imported once, by
# a server; each test run is a fork of it. What a project lacks is left out.
PRELOADED = (
    "pytest", "hypothesis", "numpy", "pandas", "pydantic", "rapidfuzz", "phonenumbers", "rich",
    "scipy.stats", "sklearn.metrics", "sklearn.linear_model", "sklearn.feature_extraction.text",
)  # fmt: skip
SERVER = multiprocessing.get_context("forkserver")
REMOVABLE = (ast.Expr, ast.AugAssign, ast.Raise, ast.Break, ast.Continue)


@dataclass(frozen=True)
class Fault:
    """A change of one expression or statement of a file; columns count bytes, lines from 1."""

    file: Path
    start: tuple[int, int]
    end: tuple[int, int]
    before: str
    after: str

    def __str__(self) -> str:
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        # Of long texts that begin alike, such as calls without one argument, show what differs.
        letters = enumerate(zip(before, after.removeprefix("("), strict=False))
        same = next((i for i, (old, new) in letters if old != new), 0)
        if same > 40:
            before, after = (f"...{t[same - 20 :]}" for t in (before, after.removeprefix("(")))
        return f"{self.file}:{self.start[0]}  {before[:60]} -> {after[:60]}"

    def planted(self, text: str) -> str:
        """Return the file's text with the fault in it."""
        lines = text.encode().splitlines(keepends=True)
        first, last = lines[self.start[0] - 1], lines[self.end[0] - 1]
        changed = first[: self.start[1]] + self.after.encode() + last[self.end[1] :]
        return b"".join([*lines[: self.start[0] - 1], changed, *lines[self.end[0] :]]).decode()


def faults(file: Path, text: str) -> Iterator[Fault]:
    """Yield each fault that can be planted into a file."""
    for node in _nodes(ast.parse(text)):
        for after in _replacements(node):
            start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
            yield Fault(file, start, end, ast.unparse(node), after)


def _nodes(node: ast.AST) -> Iterator[Any]:
    """Yield expressions and statements, but no annotations, docstrings or parts of f-strings."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.keyword) and child.arg == "strict":
                continue  # a guard of zip: where it matters, the code is wrong already
            if isinstance(child, ast.expr | ast.stmt) and not _docstring(child):
                yield child
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from _nodes(child)


def _docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _replacements(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare(ops=[operator]):
            yield _with(node, ops=[COMPARISONS[type(operator)]()])
        case ast.BoolOp(op=ast.And()):
            yield _with(node, op=ast.Or())
        case ast.BoolOp():
            yield _with(node, op=ast.And())
        case ast.BinOp(op=operator) if type(operator) in OPERATORS:
            yield _with(node, op=OPERATORS[type(operator)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.Constant(value=bool(value)):
            yield repr(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield repr(value + 1)
        case ast.Call(keywords=keywords):
            for dropped in (k for k in keywords if k.arg != "strict"):
                yield _with(node, keywords=[k for k in keywords if k is not dropped])
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield "return None"
        case ast.IfExp(test=test):
            yield _with(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.stmt() if isinstance(node, REMOVABLE):
            yield "pass"


def _with(node: ast.expr, **changes: object) -> str:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return f"({ast.unparse(changed)})"


class Tracer:
    """Appends each line of some files that a test executes to a file, once for each test.

    Also started by the `sitecustomize` of each process that a test starts.
    """

    def __init__(self, files: Sequence[str], out: str) -> None:
        self.files = frozenset(files)
        self.out = out
        self.test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        self.seen: set[tuple[str, str, int]] = set()
        self.start = 0.0

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Called by pytest before each test."""
        self.test, self.start = nodeid, time.monotonic()

    def pytest_runtest_logfinish(self) -> None:
        """Called by pytest after each test."""
        self.write("", time.monotonic() - self.start)

    def write(self, file: str, line: float) -> None:
        with open(self.out, "a", encoding="utf-8") as lines:
            lines.write(f"{json.dumps([self.test, file, line])}\n")

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        """Called by Python for each new frame, and for each line of those that it follows."""
        file = frame.f_code.co_filename
        if file not in self.files:
            return None
        if (self.test, file, frame.f_lineno) not in self.seen:
            self.seen.add((self.test, file, frame.f_lineno))
            self.write(file, frame.f_lineno)
        return self


def _run_pytest(root: Path, path: list[str], arguments: list[str]) -> None:
    """Run pytest in this process, a fork of the server; the exit status is that of pytest."""
    os.setsid()
    os.chdir(root)
    with open(os.devnull, "rb") as nothing, open(Path(path[0]) / "output", "wb") as output:
        for stream, file in enumerate((nothing, output, output)):
            os.dup2(file.fileno(), stream)
    os.environ["PYTHONPATH"] = os.pathsep.join(path)
    sys.path[:0] = path
    traced = Path(path[0]) / "traced.json"
    plugins = []
    if traced.is_file():
        plugins = [Tracer(*json.loads(traced.read_text("utf-8")))]
        sys.settrace(plugins[0])
    import pytest
    from hypothesis import HealthCheck, settings

    # Neither examples that come slowly nor other ones than before may be taken for the fault.
    settings.register_profile(
        "mutate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=mutate"]
    # Nothing is waited for at the end: neither threads that a fault left, nor exit handlers.
    os._exit(pytest.main([*options, *arguments], plugins))


class Copy:
    """A temporary copy of the checkout, which tests run in."""

    def __init__(self, root: Path, folder: Path, tests: Sequence[str]) -> None:
        self.root = folder / "tree"
        self.tests = tests
        self.hook = folder / "hook"
        ignored = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".tunegate", ".hypothesis")
        shutil.copytree(root, self.root, ignore=ignored, symlinks=True)
        self.hook.mkdir()

    def run(self, tests: Sequence[str], timeout: float | None = None) -> int:
        """Run tests, but no slow ones; returns the exit status, or -1 if they take too long."""
        path = [self.hook, *(self.root / top for top in ("harness", "checks", "plugins", "."))]
        arguments = ["--rootdir", str(self.root), "-m", "not slow", *tests]
        process = SERVER.Process(target=_run_pytest, args=(self.root, [*map(str, path)], arguments))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            os.killpg(process.ident or 0, signal.SIGKILL)  # what the tests started, too
            process.join()
            return -1
        return process.exitcode

    def executed(
        self, files: Sequence[Path]
    ) -> tuple[list[str], dict[tuple[Path, int], list[str]]]:
        """Run tests once, without a fault.

        Returns the ids of all tests, and those that execute each line of these files, the fastest
        tests first.
        """
        out = self.hook / "lines"
        names = [str(self.root / file) for file in files]
        (self.hook / "traced.json").write_text(json.dumps([names, str(out)]), "utf-8")
        (self.hook / "sitecustomize.py").write_text(
            f"import sys\nsys.path.insert(0, {str(Path(__file__).resolve().parent)!r})\n"
            f"import mutate\ndel sys.path[0]\n"
            f"sys.settrace(mutate.Tracer({names!r}, {str(out)!r}))\n",
            "utf-8",
        )
        status = self.run(self.tests)
        (self.hook / "sitecustomize.py").unlink()
        (self.hook / "traced.json").unlink()
        if status:
            output = (self.hook / "output").read_text("utf-8", "replace")
            sys.exit(f"{output}\n{' '.join(self.tests)}: fails without a fault")
        seconds: dict[str, float] = {}
        by_line: dict[tuple[Path, int], list[str]] = defaultdict(list)
        for text in out.read_text("utf-8").splitlines():
            test, name, line = json.loads(text)
            if not name:
                seconds[test] = line
            else:
                by_line[Path(name).relative_to(self.root), line].append(test)
        for ids in by_line.values():
            ids.sort(key=lambda test: seconds.get(test, 0.0))
        return sorted(seconds, key=lambda test: seconds[test]), by_line

    def sees(self, chosen: Sequence[str], ids: Sequence[str], timeout: float) -> bool:
        """Run the chosen tests, and all where these pass or cannot be chosen; did one fail?

        What a test finds in a cache or a shared fixture was executed by another test; the id of a
        test may depend on the code.
        """
        status = self.run(chosen, timeout)
        if status == 0 and len(chosen) == len(ids):
            return False
        return status not in (0, 4) or bool(self.run(self.tests, timeout))

    def write(self, file: Path, text: str) -> None:
        """Write a file, and remove its bytecode: size and time may be those of the text before."""
        (self.root / file).write_text(text, "utf-8")
        for cached in (self.root / file.parent / "__pycache__").glob(f"{file.stem}.*"):
            cached.unlink()


def mutate(
    root: Path, files: Sequence[Path], tests: Sequence[str], number: int, seed: int
) -> Iterator[tuple[Fault, bool]]:
    """Yield each fault that was planted, and whether a test saw it."""
    texts = {file: (root / file).read_text("utf-8") for file in files}
    with tempfile.TemporaryDirectory() as temporary:
        tree = Copy(root, Path(temporary).resolve(), tests)
        start = time.monotonic()
        ids, by_line = tree.executed(files)
        timeout = 30 + 2 * (time.monotonic() - start)
        found = [fault for file in files for fault in faults(file, texts[file])]
        found = [fault for fault in found if (fault.file, fault.start[0]) in by_line]
        for fault in random.Random(seed).sample(found, min(number, len(found))):
            chosen = by_line[fault.file, fault.start[0]]
            if "" in chosen:  # executed before the first test, by an import
                chosen = ids
            tree.write(fault.file, fault.planted(texts[fault.file]))
            yield fault, tree.sees(chosen, ids, timeout)
            tree.write(fault.file, texts[fault.file])


def main() -> None:
    """Print each fault as it is seen or not, and the share that was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--tests", nargs="+", required=True, metavar="TESTS")
    parser.add_argument("--number", type=int, default=20, help="of faults at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--preload", nargs="*", default=[], metavar="MODULE",
        help="installed modules that the tests import slowly, such as torch",
    )  # fmt: skip
    options = parser.parse_args()
    SERVER.set_forkserver_preload([*PRELOADED, *options.preload])
    outcomes = []
    for fault, seen in mutate(
        Path.cwd(), options.files, options.tests, options.number, options.seed
    ):
        outcomes.append(seen)
        print(f"{'seen' if seen else 'NOT SEEN':<9} {fault}", flush=True)
    share = f" ({sum(outcomes) / len(outcomes):.0%})" if outcomes else ""
    print(f"{sum(outcomes)} of {len(outcomes)} faults were seen{share}")


if __name__ == "__main__":
    main()
