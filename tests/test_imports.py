"""Who may import whom, read from the source and held to the table below.

A package is a folder below a distribution (`tunegate.data`); a file that lies directly in a
distribution's folder is a package of its own (`tunegate.errors`). Imports inside functions count;
imports under `if TYPE_CHECKING` do not, except where a test says so.
"""

from __future__ import annotations

import ast
import graphlib
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "harness").rglob("*.py"))
CHECKS = sorted((ROOT / "checks").rglob("*.py"))
TRAINERS = sorted((ROOT / "plugins").rglob("*.py"))
FILES = [*CORE, *CHECKS, *TRAINERS]

# Every package of the core may import these beside what the table lists.
EVERYWHERE = {"utils", "errors", "exit_codes", "__init__"}

# package -> the packages of the same distribution that it may import.
ALLOWED: dict[str, dict[str, str]] = {
    "tunegate": {
        "__main__": "cli",
        "cli": "checking config data gates models mutation reporting results storage",
        "pytest_plugin": "checking config data gates interfaces models reporting results session "
        "storage tokenization",
        "reporting": "checking config data gates interfaces models results storage tokenization",
        "gates": "checking config data interfaces models results session storage",
        "mutation": "config data gates storage",
        "session": "checking config data interfaces models results storage",
        "models": "config data interfaces results similarity storage",
        "checking": "data results storage",
        "config": "data interfaces results",
        "testing": "data mutation",
        "storage": "data interfaces",
        "tokenization": "data",
        "data": "results similarity",
        "interfaces": "",
        "results": "",
        "similarity": "",
    },
    "tunegate_checks": {
        "generate": "data fix judge review",
        "fix": "data detect review text",
        "data": "detect review stats text",
        "model": "detect stats text",
        "judge": "model stats",
        "readiness": "data model stats text",
        "diagnose": "data model review stats",
        "detect": "",
        "review": "judge",
        "stats": "",
        "text": "",
    },
    "tunegate_qlora": {
        "__init__": "model trainer",
        "commands": "config data distributed model model_card preflight runtime trainer training",
        "trainer": "config model model_card pipeline preflight runtime",
        "pipeline": "data distributed model model_card runtime training",
        "distributed": "config data runtime training",
        "training": "config data model runtime",
        "preflight": "config data model runtime",
        "model_card": "data model",
        "data": "config model",
        "model": "config runtime",
        "runtime": "",
        "config": "",
    },
    "tunegate_axolotl": {
        "commands": "export import_model",
        "import_model": "export",
        "export": "",
    },
    "tunegate_mlflow": {"command": ""},
}

# What the distribution for Axolotl may use of the QLoRA plugin: its promised interface.
AXOLOTL_USES = {"commands", "config", "data", "model", "model_card", "runtime", "training"}

KNOW_PYTEST = {"tunegate.pytest_plugin", "tunegate.interfaces"}

# Each of these costs more than all the rest of pytest's start-up, or brings its own threads.
HEAVY = {
    *("torch", "transformers", "peft", "bitsandbytes", "accelerate", "safetensors", "tokenizers"),
    *("sklearn", "scipy", "numpy", "numba", "pandas", "pandera", "rapidfuzz", "phonenumbers"),
    *("openai", "anthropic", "mlflow", "rich", "jinja2", "aiohttp", "yarl", "tiktoken", "stamina"),
    *("sacrebleu", "rouge_score", "bert_score", "nltk", "statsmodels", "bm25s"),
}
PLUGINS = {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()}


def module_name(path: Path) -> str:
    """Return the dotted name of a file below harness/, checks/ or plugins/."""
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def package_of(name: str) -> str:
    """Return the package of a module: the first two parts of its name."""
    distribution, _, rest = name.partition(".")
    return f"{distribution}.{rest.partition('.')[0] or '__init__'}"


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"))


def statements(
    node: ast.AST, *, deep: bool, typing: bool = False
) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports of a file.

    Args:
        node: The tree to look through.
        deep: Whether imports inside functions count.
        typing: Whether imports under `if TYPE_CHECKING` count.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif (
            isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING" and not typing
        ):
            continue
        elif deep or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(child, deep=deep, typing=typing)


def foreign_packages(path: Path, *, deep: bool) -> set[str]:
    """Return the top names of what a file imports absolutely."""
    names: list[str] = []
    for statement in statements(parsed(path), deep=deep):
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif not statement.level:
            names.append(statement.module or "")
    return {name.partition(".")[0] for name in names}


@cache
def imported_modules(path: Path, *, deep: bool, typing: bool = False) -> frozenset[str]:
    """Return the modules of the project that a file imports."""
    found: set[str] = set()
    for statement in statements(parsed(path), deep=deep, typing=typing):
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            base = statement.module or ""
            if statement.level:
                parts = path.relative_to(ROOT).parts[1:-1]
                above = parts[: len(parts) - (statement.level - 1)]
                base = ".".join([*above, *([base] if base else [])])
            names = [
                f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base
                for alias in statement.names
            ]
        found |= {name for name in names if name in MODULES}
    return frozenset(found - {module_name(path)})


def package_graph(*, typing: bool = False) -> dict[str, dict[str, str]]:
    """Return package -> imported package -> one import that makes the arrow."""
    graph: dict[str, dict[str, str]] = defaultdict(dict)
    for name, path in MODULES.items():
        for target in sorted(imported_modules(path, deep=True, typing=typing)):
            source_package, target_package = package_of(name), package_of(target)
            if source_package != target_package:
                graph[source_package].setdefault(target_package, f"{name} imports {target}")
    return graph


def test_there_is_something_to_read() -> None:
    assert min(map(len, (CORE, CHECKS, TRAINERS))) > 5


@pytest.mark.parametrize("distribution", sorted(ALLOWED))
def test_packages_import_only_what_the_table_lists(distribution: str) -> None:
    table, forbidden = ALLOWED[distribution], []
    for package, targets in package_graph().items():
        if not package.startswith(f"{distribution}."):
            continue
        name = package.partition(".")[2]
        for target, example in targets.items():
            owner, _, target_name = target.partition(".")
            inside = owner == distribution
            free = (
                target_name in EVERYWHERE
                if distribution == "tunegate"
                else target_name == "__init__"
            )
            if inside and not free and target_name not in table.get(name, "").split():
                forbidden.append(f"{name} -> {target_name}: {example}")
    assert forbidden == []


def test_the_table_lists_no_arrow_that_is_gone() -> None:
    graph = package_graph()
    gone = [
        f"{distribution}.{package} -> {target}"
        for distribution, table in ALLOWED.items()
        for package, targets in table.items()
        for target in targets.split()
        if f"{distribution}.{target}" not in graph.get(f"{distribution}.{package}", {})
    ]
    assert gone == []


def test_the_axolotl_plugin_uses_the_qlora_plugin_s_promised_packages_alone() -> None:
    graph = package_graph()
    used = {
        target.partition(".")[2]
        for package, targets in graph.items()
        for target in targets
        if package.startswith("tunegate_axolotl.") and target.startswith("tunegate_qlora.")
    }
    assert used <= AXOLOTL_USES


@pytest.mark.parametrize("typing", [False, True], ids=["imports", "annotations"])
def test_packages_form_no_circle(typing: bool) -> None:
    graph = {package: set(targets) for package, targets in package_graph(typing=typing).items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_files_form_no_circle() -> None:
    graph = {
        name: {t for t in imported_modules(path, deep=True) if not t.endswith("__init__")}
        for name, path in MODULES.items()
        if path.name != "__init__.py"
    }
    graphlib.TopologicalSorter(graph).prepare()


def behind(door: Path) -> set[Path]:
    """Return the files of the project that are imported with this one."""
    found, new = set(), {door}
    while new:
        found |= new
        new = {MODULES[t] for path in new for t in imported_modules(path, deep=False)} - found
    return found


# Imported by functions alone, so that a door never brings them in.
LAZY = ("numba_kernel.py", "sketches.py")
DOORS = [
    *(path for path in [*CORE, *CHECKS] if path.name not in LAZY),
    *(path for path in TRAINERS if path.name == "__init__.py" and path.parent.name in PLUGINS),
]


def test_what_is_heavy_stays_inside_functions() -> None:
    """A trainer's inner files may begin with `import torch`; the doors to them may not."""
    heavy = {
        path.relative_to(ROOT).as_posix(): foreign_packages(path, deep=False) & HEAVY
        for door in DOORS
        for path in behind(door)
    }
    assert {path: names for path, names in heavy.items() if names} == {}


def test_the_core_knows_no_check_and_no_trainer() -> None:
    outside = {"tunegate_checks", *PLUGINS, "torch", "peft"}
    assert [p.name for p in CORE if foreign_packages(p, deep=True) & outside] == []


def test_few_packages_know_pytest() -> None:
    knowing = {
        package_of(module_name(p)) for p in CORE if "pytest" in foreign_packages(p, deep=True)
    }
    assert knowing == KNOW_PYTEST


def test_checks_know_neither_pytest_nor_trainers() -> None:
    outside = {"pytest", *PLUGINS}
    assert [p.name for p in CHECKS if foreign_packages(p, deep=True) & outside] == []


def test_trainers_know_no_check() -> None:
    assert [p.name for p in TRAINERS if "tunegate_checks" in foreign_packages(p, deep=True)] == []


@pytest.mark.parametrize("name", ["__init__.py", "pytest_plugin/plugin.py", "config/project.py"])
def test_the_door_to_pytest_is_standard_library_only(name: str) -> None:
    imported = foreign_packages(ROOT / "harness" / "tunegate" / name, deep=False)
    assert imported <= {*sys.stdlib_module_names, "__future__"}
