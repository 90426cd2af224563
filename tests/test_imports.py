"""Who may import whom, read from the source: a rule that nobody has to remember."""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "harness").rglob("*.py"))
CHECKS = sorted((ROOT / "checks").rglob("*.py"))
TRAINERS = sorted((ROOT / "plugins").rglob("*.py"))

# Each of these costs more than all the rest of pytest's start-up, or brings its own threads.
HEAVY = {
    *("torch", "transformers", "peft", "bitsandbytes", "accelerate", "safetensors", "tokenizers"),
    *("sklearn", "scipy", "numpy", "numba", "pandas", "pandera", "rapidfuzz", "phonenumbers"),
    *("openai", "anthropic", "mlflow", "rich", "jinja2", "aiohttp", "yarl", "tiktoken"),
    *("sacrebleu", "rouge_score", "bert_score", "nltk", "statsmodels"),
}
PLUGINS = {path.parent.name for path in TRAINERS}
KNOW_PYTEST = {
    "plugin.py",
    "accepting.py",
    "session.py",
    "evidence.py",
    "fixtures.py",
    "extensions.py",
}


def statements(
    node: ast.AST, *, deep: bool, annotations: bool = False
) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports of a file, those inside functions too when `deep`.

    What stands under `if TYPE_CHECKING` is never imported: it is left out without `annotations`.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            if annotations:
                yield from statements(child, deep=deep, annotations=True)
        elif deep or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(child, deep=deep, annotations=annotations)


def packages(path: Path, *, deep: bool) -> set[str]:
    """Return the top names of what a file imports, its own package aside."""
    names: list[str] = []
    for found in statements(ast.parse(path.read_text("utf-8")), deep=deep):
        if isinstance(found, ast.Import):
            names += [alias.name for alias in found.names]
        elif not found.level:
            names.append(found.module or "")
    return {name.partition(".")[0] for name in names}


def neighbours(path: Path, *, deep: bool = False, annotations: bool = False) -> set[Path]:
    """Return the files of its own package that a file imports: at its top, or anywhere."""
    found: set[Path] = set()
    tree = ast.parse(path.read_text("utf-8"))
    for node in statements(tree, deep=deep, annotations=annotations):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            places = [base, *(base / alias.name for alias in node.names)]
            found |= {p for p in (place.with_suffix(".py") for place in places) if p.is_file()}
    return found


def behind(door: Path) -> set[Path]:
    """Return the files that are imported with this one."""
    found, new = set(), {door}
    while new:
        found |= new
        new = {n for path in new for n in neighbours(path)} - found
    return found


def test_there_is_something_to_read() -> None:
    assert min(map(len, (CORE, CHECKS, TRAINERS))) > 5


ROOMS = ("_kernel.py", "_sketches.py")  # imported by functions alone: `behind` would show it
DOORS = [
    *(path for path in [*CORE, *CHECKS] if path.name not in ROOMS),
    *(path for path in TRAINERS if path.name == "__init__.py"),
]


def test_what_is_heavy_stays_inside_functions() -> None:
    """A trainer's inner rooms may begin with `import torch`; the doors to them may not."""
    heavy = {
        path.relative_to(ROOT).as_posix(): packages(path, deep=False) & HEAVY
        for door in DOORS
        for path in behind(door)
    }
    assert {path: names for path, names in heavy.items() if names} == {}


def test_the_core_knows_no_check_and_no_trainer() -> None:
    outside = {"tunegate_checks", *PLUGINS, "torch", "transformers", "peft"}
    assert [p.name for p in CORE if packages(p, deep=True) & outside] == []


def test_the_core_has_no_import_circle() -> None:
    files = {path: neighbours(path, deep=True) for path in CORE}
    graphlib.TopologicalSorter(files).prepare()  # raises CycleError, which names the circle


BY_ANNOTATIONS = [  # circles between files that know each other's types
    {"findings.py", "score.py"},
    {"dataset.py", "preferences.py", "reader.py", "shapes.py", "tables.py"},
    {"_kernel.py", "_near.py"},
    {"budget.py", "protocols.py"},
]


def test_few_files_know_each_others_types() -> None:
    known = {p: next((c for c in BY_ANNOTATIONS if p.name in c), set[str]()) for p in CORE}
    files = {
        path: {n for n in neighbours(path, deep=True, annotations=True) if n.name not in circle}
        for path, circle in known.items()
    }
    graphlib.TopologicalSorter(files).prepare()


def test_few_files_know_pytest() -> None:
    assert {p.name for p in CORE if "pytest" in packages(p, deep=True)} == KNOW_PYTEST


def test_checks_know_neither_pytest_nor_trainers() -> None:
    outside = {"pytest", *PLUGINS}
    assert [p.name for p in CHECKS if packages(p, deep=True) & outside] == []


def test_trainers_know_no_check() -> None:
    assert [p.name for p in TRAINERS if "tunegate_checks" in packages(p, deep=True)] == []


@pytest.mark.parametrize("name", ["__init__.py", "plugin.py", "project.py"])
def test_the_door_to_pytest_is_standard_library_only(name: str) -> None:
    found = packages(ROOT / "harness" / "tunegate" / name, deep=False)
    assert found <= {*sys.stdlib_module_names, "__future__"}
