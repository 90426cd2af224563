"""The page on threats names tests that exist, the same in both languages, and counts their ways."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter

from readmes import ROOT

PAGES = ("docs/threat-model.md", "docs/threat-model.pt-BR.md")


def held_by(page: str) -> dict[str, int]:
    """Return the tests that the page names, with the number of ways that it gives them."""
    text = (ROOT / page).read_text("utf-8")
    lines = re.findall(r"\| (\d+) \| `(tests/\S+::test_\w+)` \|$", text, re.M)
    assert len(lines) == len({test for _, test in lines}) == text.count("`tests/")
    return {test: int(ways) for ways, test in lines}


def test_at_least_150_evasions_are_held() -> None:
    assert sum(held_by(PAGES[0]).values()) >= 150


def test_both_languages_name_the_same() -> None:
    assert held_by(PAGES[0]) == held_by(PAGES[1])


def test_each_test_exists() -> None:
    for name in held_by(PAGES[0]):
        path, _, function = name.partition("::")
        body = ast.parse((ROOT / path).read_text("utf-8")).body
        assert function in {node.name for node in body if isinstance(node, ast.FunctionDef)}, name


def test_the_ways_are_counted() -> None:
    files = sorted({name.partition("::")[0] for name in held_by(PAGES[0])})
    command = [sys.executable, "-m", "pytest", "-p", "tunegate", "--collect-only", "-q", *files]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    counts = Counter(line.partition("[")[0] for line in listed.splitlines() if "::" in line)
    assert {name: counts[name] for name in held_by(PAGES[0])} == held_by(PAGES[0])
