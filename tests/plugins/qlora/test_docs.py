"""docs/training.md knows every setting, its true default, and every preset; in both languages."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tunegate_qlora.commands.merge import COMPARED_ROWS
from tunegate_qlora.config import (
    BETA,
    DPO_LEARNING_RATES,
    LEARNING_RATES,
    PRESETS,
    Settings,
    resolve_settings,
)
from tunegate_qlora.training import loss

DOCS = Path(__file__).parents[3] / "docs"
pytestmark = pytest.mark.parametrize("page", ["training.md", "training.pt-BR.md"])


def text(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def table(page: str, first: str) -> dict[str, list[str]]:
    """Return the table whose first column is called so: the other cells, by the first one's."""
    lines = text(page).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        key, *cells = (cell.strip() for cell in line.strip("| ").split(" | "))
        found[re.sub(r"`(\w+)`.*", r"\1", key)] = cells
    return found


def value(cell: str) -> Any:
    """Read a default as the page writes it."""
    plain = cell.strip("`")
    return {"false": False, "none": None, "nenhum": None}.get(plain, plain)


def test_every_setting_stands_there_with_its_default(page: str) -> None:
    first = "setting" if page == "training.md" else "opção"
    rows = table(page, first)
    assert set(rows) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        cell = value(rows[name][0])
        if field.is_required():
            continue
        found = ast.literal_eval(cell) if isinstance(cell, str) else cell
        assert found == field.default, name


def test_every_method_and_preset_stands_there(page: str) -> None:
    methods = table(page, "`method`")
    assert list(methods) == list(LEARNING_RATES)
    assert [float(cells[2]) for cells in methods.values()] == list(LEARNING_RATES.values())
    assert [float(cells[3]) for cells in methods.values()] == list(DPO_LEARNING_RATES.values())
    assert str(BETA) in text(page)
    presets = table(page, "`preset`")
    assert list(presets) == list(PRESETS)
    for name, preset in PRESETS.items():
        assert [int(cell) for cell in presets[name][1:3]] == [preset.epochs, preset.batch]


def test_the_tolerances_are_the_true_ones(page: str) -> None:
    told = text(page).replace(",", ".")
    assert f"{loss.TOLERANCE:.0%}".replace("%", " %") in told
    assert str(loss.MIN_DIFFERENCE) in told
    assert str(loss.SAMPLE_ROWS) in told
    assert str(COMPARED_ROWS) in told


def test_each_example_is_valid(page: str) -> None:
    for block in re.findall(r"```toml\n(.*?)```", text(page), re.DOTALL):
        resolve_settings(tomllib.loads(block)["train"]["qlora"])
