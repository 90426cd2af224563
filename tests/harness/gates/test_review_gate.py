"""A review from end to end: the gate asks, a person fills in the sheet, the receipt has it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tunegate_checks.review import draw

if TYPE_CHECKING:
    from conftest import Project

SUITE = Path(__file__).parents[3] / "suites" / "data" / "test_review.py"
BY = "reviewed by Ana: 0 % wrong"


@pytest.mark.slow
def test_generated_data_is_trained_on_when_a_person_has_read_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    parser = argparse.ArgumentParser()
    draw.arguments(parser)
    project.write("suites/data/test_review.py", SUITE.read_text("utf-8"))
    marked = "[data]\ngenerated = true"
    config = (project.root / "tunegate.toml").read_text().replace("[data]", marked)
    project.write("tunegate.toml", config)
    result = project.gate()
    assert "closed, nothing was trained: 3 failed" in result.line("gate")
    printed = " ".join(result.out.split())
    assert "0 of 20 generated rows reviewed, 10 % needed: tunegate review" in printed
    for split in ("train", "validation", "test"):
        draw.run(parser.parse_args([f"{split}.jsonl"]))
    sheets = sorted((project.root / "reviews").glob("*.csv"))
    for sheet in sheets:
        text = sheet.read_text("utf-8-sig").replace(",,,\n", ",ok,Ana,\n")
        sheet.write_text(text, "utf-8")
    result = project.gate()
    assert result.code == 0, result.out
    assert f"review of train: 2 of 20 rows (10 %) {BY}" in result.out
    receipt = json.loads((project.run / "receipt.json").read_text())
    (judged,) = receipt["tests"]["suites/data/test_review.py::test_reviewed[train]"]
    assert f"2 of 20 rows (10 %) {BY}" in judged["hints"][0]
    assert {f"reviews/{s.name}" for s in sheets} <= receipt["suite"]["files"].keys()
