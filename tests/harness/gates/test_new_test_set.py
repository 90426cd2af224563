"""A promotion rests on a test set that a data gate of the run saw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tunegate import Dataset
from tunegate.gates.promotion import PromotionRefused, facts_of_test_set, models_judged
from tunegate.storage.state_dir import SealBroken, StateDir, find_finished

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Project


def facts(root: Path, name: str = "test.jsonl") -> dict[str, object]:
    state = StateDir(root)
    return facts_of_test_set(
        find_finished(state, "latest"), Dataset.read(root / name, "test"), state
    )


CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "what the model fails at left out": lambda lines: lines[:-1],
    "one row": lambda lines: lines[:1],
    "no row": lambda lines: [],
    "one row more": lambda lines: [*lines, lines[0].replace("30", "130")],
    "every row twice": lambda lines: lines * 2,
    "another order": lambda lines: lines[::-1],
    "another reply": lambda lines: [lines[0].replace('"a"', '"b"'), *lines[1:]],
    "training rows with a sign added": lambda lines: [
        line.replace("question 3", "question 1").replace('"}, {', '!"}, {') for line in lines
    ],
    "a blank at the end": lambda lines: [*lines, " \n"],
    "another system prompt": lambda lines: [
        line.replace("[{", '[{"role": "system", "content": "Say a."}, {') for line in lines
    ],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_test_set_that_no_data_gate_saw(trained: Project, change: str) -> None:
    lines = (trained.root / "test.jsonl").read_text().splitlines(keepends=True)
    trained.write("other.jsonl", "".join(CHANGES[change](lines)))
    with pytest.raises(PromotionRefused, match=r"no data gate of run \w+ saw these \d+ test rows"):
        facts(trained.root, "other.jsonl")
    assert facts(trained.root) == {"test_n": 6, "test_judged": 0}


def test_the_file_may_have_another_name(trained: Project) -> None:
    (trained.root / "test.jsonl").rename(trained.root / "moved.jsonl")
    assert facts(trained.root, "moved.jsonl")["test_n"] == 6


def test_models_that_a_test_set_has_judged_are_counted(trained: Project) -> None:
    state = StateDir(trained.root)
    for n, (model, digest) in enumerate([("m", "d"), ("m", "d"), ("o", "d"), ("p", "other")]):
        card = {"test": {"digest": digest}, "model_digest": model}
        path = state.path("runs", f"run{n}", "scorecards", f"{n}.json")
        path.write_text(json.dumps(card))
    state.path("runs", "run0", "scorecards", "broken.json").write_text("[]")
    assert models_judged(state, "d") == 2


def test_a_new_test_set_gets_a_data_gate_of_its_own(trained: Project) -> None:
    lines = (trained.root / "test.jsonl").read_text().splitlines(keepends=True)
    trained.write("new.json", f'{{"test": [{",".join(lines[:4])}]}}')
    option = ("--test-data", "new.json")
    before = (trained.run / "receipt.json").read_bytes()
    gate = trained.pytest("suites/data", "--for", "latest", *option)
    assert gate.code == 0, gate.out
    assert gate.line("gate      open:") == f"4 test rows may judge run:{trained.run.name}"
    assert (trained.run / "receipt.json").read_bytes() == before
    (path,) = trained.left("receipts/*.json")
    assert json.loads(path.read_text())["data"]["test"]["n"] == 4
    trained.add("tunegate.toml", "[limits]\naccuracy = 0.5\n")
    result = trained.judge("--promote", "production", *option)
    assert result.code == 0, result.out
    rests_on = "on 4 test rows that a data gate of their own saw, without 2 of the first test set"
    assert f"{rests_on}; models they have judged: 1\n" in result.out
    assert result.line("limits") == "lowered since the data gate: accuracy 0.95 -> 0.5"
    (entry,) = trained.registry
    assert (entry["test_n"], entry["test_left_out"]) == (4, 2)
    assert entry["lowered"] == {"accuracy": [0.95, 0.5]}
    verified = trained.python("-m", "tunegate", "registry", "verify")
    assert (verified.code, verified.out[:16]) == (0, "1 entry, 0 wrong")
    history = trained.python("-m", "tunegate", "history").out
    assert rests_on in history
    assert "lowered since the data gate: accuracy 0.95 -> 0.5" in history
    path.write_text(path.read_text().replace('"n": 4', '"n": 400'))
    with pytest.raises(SealBroken, match="was changed since"):
        facts(trained.root, "new.json")


def test_a_closed_data_gate_lets_no_test_set_in(
    trained: Project, example_row: Callable[[str, str], str]
) -> None:
    trained.write("new.jsonl", example_row("a bad one", "a"))
    gate = trained.pytest("suites/data", "--for", "latest", "--test-data", "new.jsonl")
    assert (gate.code, trained.left("receipts/*.json")) == (1, [])
    assert gate.line(f"gate      closed for run:{trained.run.name}:").startswith("1 failed: ")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("suites/data --for nope", "no finished run 'nope'"),
        ("suites/data --for latest --train-with toy", "--for RUN goes alone"),
    ],
)
def test_a_mistake_ends_before_the_first_test(trained: Project, args: str, said: str) -> None:
    result = trained.pytest(*args.split())
    assert result.code == 4
    assert said in result.line("ERROR:")
