"""The incumbent: what the alias points at is judged beside the candidate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

SUITE = """\
def test_incumbent(predictions, incumbent):
    print("incumbent:", incumbent)
    assert predictions
"""


@pytest.mark.slow
def test_before_and_after_the_first_promotion(trained: Project) -> None:
    trained.write("suites/model/test_i.py", SUITE)
    first = trained.judge("--promote", "production", "-s")
    assert first.code == 0, first.out
    assert "incumbent: None" in first.out
    again = trained.judge("-s")
    assert "incumbent: <predictions of toy:" in again.out
    assert "incumbent: None" in trained.judge("--promote", "staging", "-s").out
    cards = [json.loads(path.read_text()) for path in trained.left("scorecards/*.json")]
    assert {card["incumbent"] is not None for card in cards} == {False, True}


@pytest.mark.slow
def test_an_incumbent_that_was_changed_is_no_incumbent(trained: Project) -> None:
    trained.write("suites/model/test_i.py", SUITE)
    trained.judge("--promote", "production")
    (entry,) = trained.registry
    (trained.root / entry["model"].removeprefix("toy:")).write_text("another model")
    trained.write("answers.jsonl", '{"text": "a"}\n{"text": "b"}\n' * 3)
    trained.write("train.jsonl", (trained.root / "train.jsonl").read_text())
    result = trained.judge(model="file:answers.jsonl")
    assert result.code != 0
    assert "is not the model that was promoted" in result.out
    assert "Traceback" not in result.out
