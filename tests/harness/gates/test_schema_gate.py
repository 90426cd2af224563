"""`data.schema` in the gates: its tests hold rows and answers to it, its file is in the receipt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..conftest import Project

pytest.importorskip("pandera")

SUITES = Path(__file__).parents[3] / "suites"
SCHEMA = """\
import pandera.pandas as pa
from pandera.typing import Series

class Row(pa.DataFrameModel):
    prompt: Series[str] = pa.Field(str_matches="question")
    reply: Series[str] = pa.Field(isin=["a", "b"])
"""
LOADED = (
    "\ndef pytest_unconfigure(): import sys; print('pandera loaded:', 'pandera' in sys.modules)\n"
)


def test_the_schema_is_a_test_of_both_suites(project: Project) -> None:
    shutil.copy(SUITES / "data/test_schema.py", project.root / "suites/data")
    project.add("conftest.py", LOADED)
    without = project.pytest("suites/data").out
    assert "4 passed, 3 deselected in" in without
    assert "pandera loaded: False" in without

    project.add("tunegate.toml", 'schema = "rules/schema.py:Row"\n')
    project.write("rules/schema.py", SCHEMA)
    (project.root / "suites/data/test_schema.py").unlink()
    closed = project.gate().out
    assert "no test ran data.schema on train: see suites/data/test_schema.py" in closed

    shutil.copy(SUITES / "data/test_schema.py", project.root / "suites/data")
    assert "gate      open" in project.gate().out
    assert (
        "rules/schema.py"
        in json.loads(project.run.joinpath("receipt.json").read_text())["suite"]["files"]
    )

    closed = project.judge()
    assert closed.code == 1
    assert "no test held the answers to data.schema: see suites/model/test_contract" in closed.out

    shutil.copy(SUITES / "model/test_contract.py", project.root / "suites/model")
    project.add(
        "suites/model/conftest.py",
        "import pytest\n\n@pytest.fixture\ndef clean(predictions): return predictions\n",
    )
    judged = project.judge()
    assert "contract  100.0%" in judged.out, judged.out
    cards = [json.loads(card.read_text()) for card in project.left("scorecards/*.json")]
    assert all("rules/schema.py" in card["suite"]["files"] for card in cards)
