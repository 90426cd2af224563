"""A program as a check: what it gets, what it may write, and that its files count for the gate."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tunegate import Dataset
from tunegate.interfaces.programs import Program, ProgramFailed
from tunegate_checks.data import programs

ROWS = [
    {"messages": [{"role": "user", "content": t}, {"role": "assistant", "content": "ok"}]}
    for t in ("hello", "never throw", "bye")
]
HOUSE = """\
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    if "throw" in row["prompt"]:
        print(json.dumps({"row": row["row"], "kind": "throws", "evidence": row["prompt"]}))
print(json.dumps({"kind": "about", "evidence": "seen " + row["split"], "hint": True}))
"""


def house(folder: Path, text: str = HOUSE) -> Program:
    (folder / "house.py").write_text(text)
    return Program("house", (sys.executable, "-S", "house.py"), folder)


@pytest.fixture
def rows() -> Dataset:
    return Dataset.of(ROWS, split="train")


def test_it_gets_the_rows_and_makes_findings(tmp_path: Path, rows: Dataset) -> None:
    found = programs.find(rows, program=house(tmp_path))
    assert found.name == "house"
    assert [(f.row, f.line, f.kind, f.evidence, f.hint) for f in [*found, *found.hints]] == [
        (1, 2, "throws", "never throw", False),
        (None, None, "about", "seen train", True),
    ]
    assert len(found) == 1  # a hint is none


@pytest.mark.parametrize(
    "line",
    [
        {"row": 3, "kind": "a", "evidence": "b"},
        {"row": True, "kind": "a", "evidence": "b"},
        {"row": 0, "kind": "", "evidence": "b"},
        {"row": 0, "kind": "a"},
        {"row": 0, "kind": "a", "evidence": "b", "hint": 1},
        {"row": 0, "kind": "a", "evidence": "b", "severity": "high"},
    ],
)
def test_a_line_that_is_no_finding_is_refused(
    line: dict[str, Any], tmp_path: Path, rows: Dataset
) -> None:
    program = house(tmp_path, f"print({json.dumps(line)!r})")
    with pytest.raises(ProgramFailed, match="writes no finding"):
        programs.find(rows, program=program)
