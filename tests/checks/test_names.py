"""The names of the shipped checks: ids of accepted findings are made of them, so they stay."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import tunegate_checks

# The function that is called by each name. A name that changes here makes the findings of that
# check, accepted in somebody's project, count again; new checks are added.
NAMES = {
    "balance": "find",
    "balance.makeup": "makeup",
    "consistency.across": "across",
    "consistency.inference": "inference",
    "consistency.labels": "labels",
    "consistency.output_format": "output_format",
    "consistency.system_prompt": "system_prompt",
    "diversity": "find",
    "duplicates": "find",
    "duplicates.near": "near",
    "format": "find",
    "labels.contradictions": "contradictions",
    "labels.errors": "errors",
    "leakage": "find",
    "memory.cut_off": "cut_off",
    "memory.extraction": "extraction",
    "memory.personal_data": "personal_data",
    "memory.refusals": "refusals",
    "memory.verbatim": "verbatim",
    "overfitting": "find",
    "pii": "find",
    "preferences": "find",
    "review": "find",
    "schema": "find",
    "secrets": "find",
    "size": "find",
    "size.resolution": "resolution",
    "size.test_size": "enough_test_rows",
    "splits.drift": "drift",
    "splits.share": "share",
    "tokens": "find",
}


def marked() -> Iterator[tuple[str, str, str]]:
    """Yield file, function and name of each function marked `@check`; "" where it has no name."""
    for path in sorted(Path(tunegate_checks.__path__[0]).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                called = mark.func if isinstance(mark, ast.Call) else mark
                if ast.unparse(called).rpartition(".")[2] == "check":
                    given = {k.arg: k.value for k in getattr(mark, "keywords", ())}
                    assert isinstance(node, ast.FunctionDef)
                    value = given.get("name", ast.Constant(""))
                    if not isinstance(value, ast.Constant):  # that of a user's program
                        continue
                    name = str(value.value)
                    yield path.name, node.name, name


def test_every_shipped_check_has_its_name() -> None:
    found = list(marked())
    assert [(file, function) for file, function, name in found if not name] == []
    assert {name: function for _, function, name in found} == NAMES
    assert len(found) == len(NAMES)
