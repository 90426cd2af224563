"""Plants small faults into files, one at a time, and prints which of them the tests see.

    python tools/mutate.py FILE... --tests TESTS... [--number 20] [--seed 0]
    python tools/mutate.py harness/tunegate/gate.py --tests tests/harness/test_gate.py

Run it in the root of the checkout; the faults go into a temporary copy of it. Each of TESTS, a file
or a folder, is first run alone to learn which lines it executes; faults are planted on executed
lines only, and each is shown only to the tests that execute its line. A test run that takes too
long has seen its fault. Not mutmut: version 3 leaves code outside of functions alone, and tries
all faults; not cosmic-ray: it changes the tree itself.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import subprocess
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
        shown = " -> ".join(" ".join(text.split())[:60] for text in (self.before, self.after))
        return f"{self.file}:{self.start[0]}  {shown}"

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
            for dropped in keywords:
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


def trace(files: Sequence[str], out: str) -> None:
    """Append each line of these files that this process executes to the file `out`, once.

    Called by the `sitecustomize` of each process that runs tests.
    """
    seen: set[tuple[str, int]] = set()

    def line(frame: FrameType, event: str, _: object) -> Any:
        place = frame.f_code.co_filename, frame.f_lineno
        if place[0] not in files:
            return None
        if place not in seen:
            seen.add(place)
            with open(out, "a", encoding="utf-8") as lines:
                lines.write(f"{place[0]}\t{place[1]}\n")
        return line

    sys.settrace(line)


class Copy:
    """A temporary copy of the checkout, which tests run in."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = folder / "tree"
        self.hook = folder / "hook"
        ignored = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".tunegate", ".hypothesis")
        shutil.copytree(root, self.root, ignore=ignored, symlinks=True)
        self.hook.mkdir()

    def passes(self, tests: Sequence[str], timeout: float | None = None) -> bool:
        """Run tests; False if one fails, or if they take too long."""
        path = [self.hook, *(self.root / top for top in ("harness", "checks", "plugins", "."))]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # what the tests started, too
                process.wait()

    def executed(self, files: Sequence[Path], tests: str) -> set[tuple[Path, int]]:
        """Run tests once, without a fault; returns the lines that they execute of these files."""
        out = self.hook / "lines"
        out.unlink(missing_ok=True)
        names = [str(self.root / file) for file in files]
        (self.hook / "sitecustomize.py").write_text(
            f"import sys\nsys.path.insert(0, {str(Path(__file__).resolve().parent)!r})\n"
            f"import mutate\ndel sys.path[0]\nmutate.trace({names!r}, {str(out)!r})\n",
            "utf-8",
        )
        passed = self.passes([tests])
        (self.hook / "sitecustomize.py").unlink()
        if not passed:
            sys.exit(f"{tests}: fails without a fault")
        lines = out.read_text("utf-8").splitlines() if out.is_file() else []
        places = (line.split("\t") for line in lines)
        return {(Path(name).relative_to(self.root), int(number)) for name, number in places}

    def write(self, file: Path, text: str) -> None:
        """Write a file, and remove its bytecode: size and time may be those of the text before."""
        (self.root / file).write_text(text, "utf-8")
        for cached in (self.root / file.parent / "__pycache__").glob(f"{file.stem}.*"):
            cached.unlink()


def mutate(
    root: Path, files: Sequence[Path], tests: Sequence[str], number: int, seed: int
) -> Iterator[tuple[Fault, bool]]:
    """Yield each fault that was planted, and whether a test saw it."""
    with tempfile.TemporaryDirectory() as temporary:
        tree = Copy(root, Path(temporary).resolve())
        by_line: dict[tuple[Path, int], list[str]] = defaultdict(list)
        seconds: dict[str, float] = {}
        for test in tests:
            start = time.monotonic()
            for place in tree.executed(files, test):
                by_line[place].append(test)
            seconds[test] = time.monotonic() - start
        texts = {file: (root / file).read_text("utf-8") for file in files}
        found = [fault for file in files for fault in faults(file, texts[file])]
        found = [fault for fault in found if (fault.file, fault.start[0]) in by_line]
        for fault in random.Random(seed).sample(found, min(number, len(found))):
            chosen = by_line[fault.file, fault.start[0]]
            tree.write(fault.file, fault.planted(texts[fault.file]))
            yield fault, not tree.passes(chosen, timeout=30 + 2 * sum(seconds[t] for t in chosen))
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
    options = parser.parse_args()
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
