"""Prints the figures of the code's structure: sizes, private functions, names, import circles.

    python tools/structure.py [FOLDER]     # a checkout; this one by default

Read are the Python files below harness/, checks/ and plugins/. A function is private if its name
begins with one underscore; "named once" are those whose name stands at most once in their file
beside the definition, "called once" those that are called there exactly once. Imports at run time
are those outside of `if TYPE_CHECKING`, inside functions too. A package is a folder of a
distribution with all below it; a file beside these folders is a package of its own.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from statistics import median

SOURCES = ("harness", "checks", "plugins")
SMALL = 50  # lines
CROWDED = 25  # files
Graph = Mapping[str, set[str]]


@dataclass(frozen=True)
class Source:
    """One Python file: its path below the root, and its text."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def module(self) -> str:
        """The name it is imported by."""
        parts = self.path.with_suffix("").parts[1:]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """The first two parts of its module's name: the unit of circles between packages."""
        return ".".join(self.module.split(".")[:2])

    @property
    def functions(self) -> list[str]:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [node.name for node in ast.walk(self.tree) if isinstance(node, kinds)]

    @property
    def names(self) -> Counter[str]:
        """How often each name stands here, as a variable or as an attribute."""
        nodes = (n for n in ast.walk(self.tree) if isinstance(n, ast.Name | ast.Attribute))
        return Counter(_name(node) for node in nodes)

    @property
    def calls(self) -> Counter[str]:
        """How often each name is called here."""
        calls = (n.func for n in ast.walk(self.tree) if isinstance(n, ast.Call))
        return Counter(_name(f) for f in calls if isinstance(f, ast.Name | ast.Attribute))

    def imports(self, *, typing: bool) -> Iterator[str]:
        """Yield what is imported, each as module or module.name; `typing`: for types alone too."""
        inside = self.module.split(".")
        if self.path.name != "__init__.py":
            inside.pop()
        for node in _statements(self.tree, typing):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = inside[: len(inside) - node.level + 1] if node.level else []
                base = [*base, *([node.module] if node.module else [])]
                yield from (".".join([*base, alias.name]) for alias in node.names)


def _name(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _statements(node: ast.AST, typing: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test) and not typing:
            continue
        yield child
        yield from _statements(child, typing)


def read(root: Path) -> list[Source]:
    """Read all files of a checkout."""
    paths = sorted(path for top in SOURCES for path in (root / top).rglob("*.py"))
    return [Source(PurePosixPath(p.relative_to(root)), p.read_text("utf-8")) for p in paths]


def file_graph(sources: list[Source], *, typing: bool) -> Graph:
    """Return which module imports which, among these; `typing`: also those for types alone."""
    known = {source.module for source in sources}
    graph: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        for name in source.imports(typing=typing):
            target = name if name in known else name.rpartition(".")[0]
            if target in known and target != source.module:
                graph[source.module].add(target)
    return graph


def package_graph(sources: list[Source], *, typing: bool) -> Graph:
    """Return which package imports which; `typing`: also for types alone."""
    package = {source.module: source.package for source in sources}
    graph: dict[str, set[str]] = defaultdict(set)
    for module, targets in file_graph(sources, typing=typing).items():
        graph[package[module]] |= {package[target] for target in targets} - {package[module]}
    return graph


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that reach each other (strongly connected, more than one)."""
    reached = {node: _reached(graph, node) for node in graph}
    groups = {
        frozenset(other for other in reached[node] if node in reached.get(other, ()))
        for node in graph
    }
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reached(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    new = set(graph[start])
    while new:
        found |= new
        new = {target for node in new for target in graph.get(node, ())} - found
    return found


def private(sources: list[Source]) -> tuple[int, int, int]:
    """Count private functions, those of them named at most once, and those called once."""
    found = [(name, source) for source in sources for name in source.functions if _private(name)]
    named = sum(source.names[name] <= 1 for name, source in found)
    called = sum(source.calls[name] == 1 for name, source in found)
    return len(found), named, called


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def report(sources: list[Source]) -> Iterator[str]:
    """Yield the lines to print."""
    files = sorted(sources, key=lambda source: source.lines)
    functions = sum(len(source.functions) for source in sources)
    small = [s for s in files if s.lines < SMALL]
    content = [s for s in small if s.lines > 3 and s.path.name != "__init__.py"]
    yield f"files               {len(files)}"
    yield f"lines               {sum(s.lines for s in files):,}"
    yield f"median file         {median(s.lines for s in files):g} lines"
    yield f"largest file        {files[-1].lines} lines, {files[-1].path}"
    yield f"files under {SMALL}      {len(small)}; {len(content)} of 4 lines or more, no __init__"
    yield f"functions           {functions:,}"
    for what, n in zip(("private", "  named once", "  called once"), private(sources), strict=True):
        yield f"{what:<20}{n} ({n / functions:.1%})"
    names = Counter(s.path.name for s in sources if not s.path.name.startswith("__"))
    twice = {name: n for name, n in names.most_common() if n > 1}
    yield from _list("file names that stand twice", [f"{name} {n}" for name, n in twice.items()])
    folders = Counter(str(s.path.parent) for s in sources)
    crowded = [f"{folder} {n}" for folder, n in folders.most_common() if n > CROWDED]
    yield from _list(f"folders with more than {CROWDED} files", crowded)
    for kind, graph in (("files", file_graph), ("packages", package_graph)):
        for when, typing in (("at run time", False), ("with imports for types", True)):
            groups = [", ".join(group) for group in circles(graph(sources, typing=typing))]
            yield from _list(f"import circles between {kind}, {when}", groups)


def _list(title: str, items: list[str]) -> Iterator[str]:
    yield f"{title}: {len(items)}"
    yield from (f"  {item}" for item in items)


def main() -> None:
    """Print the figures of a checkout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parents[1]
    parser.add_argument("folder", type=Path, nargs="?", default=here)
    for line in report(read(parser.parse_args().folder)):
        print(line)


if __name__ == "__main__":
    main()
