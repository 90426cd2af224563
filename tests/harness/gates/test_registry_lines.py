"""A line of the registry is held to what was signed, and to the files of its run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunegate.gates.promotion import entry_faults, line_faults
from tunegate.results.session_results import scorecard_digest
from tunegate.storage.registry import Registry
from tunegate.storage.state_dir import StateDir
from tunegate.utils.files import sha256_json

RECEIPT = {"data": {}}
CARD = {"model_digest": "d1", "test": {"digest": "t1"}, "gate": "open", "made": "today"}
CHECKPOINT = {"model": "toy:a?2", "digest": "d2"}
RECORD = {
    "model": "toy:a", "digest": "d1", "receipt": sha256_json(RECEIPT),
    "checkpoints": {"2": CHECKPOINT},
}  # fmt: skip


def faults(
    root: Path, facts: dict[str, Any], card: dict[str, Any], action: str = "promote", **run: Any
) -> list[str]:
    """Return the faults of a line, of the files of its run, which both may differ from the usual.

    The paths of scorecards are shown as CARD.
    """
    state, card = StateDir(root), {**CARD, **card}
    digest = scorecard_digest(card)
    path = state.path("runs", "ab12", "scorecards", f"{digest[:12]}.json")
    path.write_text(json.dumps({**card, **run.pop("edited", {})}))
    (path.parents[1] / "receipt.json").touch()
    usual = {"id": "ab12", "folder": path.parents[1], "record": RECORD, "receipt": RECEIPT,
             "test_receipts": lambda: {"t1": "", "t2": "r2"}, "attestation": ""}  # fmt: skip
    named = {"run": "ab12", "model": "toy:a", "model_digest": "d1", "scorecard": digest,
             "receipt": sha256_json(RECEIPT), "test": "t1", **facts}  # fmt: skip
    entry = Registry(root).append(action, "production", named, "")
    made: Any = SimpleNamespace(**{**usual, **run})
    assert [*entry_faults(entry, None, state)] == []
    return [fault.replace(str(path), "CARD") for fault in entry_faults(entry, made, state)]


UNKNOWN_CARD = ["the scorecard that it names is not among those of the run"]


@pytest.mark.parametrize(
    ("facts", "card", "said"),
    [
        ({}, {}, []),
        ({"model": "toy:a?2", "model_digest": "d2"}, {"model_digest": "d2"}, []),
        ({"model": "toy:b"}, {}, ["it names a model that is not of run ab12"]),
        ({"model": "toy:a?2"}, {}, ["it names a model that is not of run ab12"]),
        ({"test_receipt": "r2"}, {}, []),
        ({"test_receipt": "r3"}, {},
         ["the receipt of the test set that it names is not among those of the run"]),
        ({"trained": "ana"}, {},
         ["what it says of who trained the model is not what the run says"]),
        ({"receipt": "another"}, {}, ["it names another receipt than the run has"]),
        ({"scorecard": "0" * 64}, {}, UNKNOWN_CARD),
        ({"scorecard": ""}, {}, UNKNOWN_CARD),
        ({"scorecard": "../../x"}, {}, UNKNOWN_CARD),
        ({"test": "t2"}, {}, ["test: not as in CARD"]),
        ({"test": "t2"}, {"model_digest": "d3"}, ["model_digest, test: not as in CARD"]),
        ({}, {"gate": "1 failed: a"}, ["the gate of CARD was closed: 1 failed: a"]),
    ],
)  # fmt: skip
def test_what_a_promotion_names_must_be_that_of_its_run(
    facts: dict[str, Any], card: dict[str, Any], said: list[str], tmp_path: Path
) -> None:
    assert faults(tmp_path, facts, card) == said


def test_a_scorecard_that_was_edited_is_another_one(tmp_path: Path) -> None:
    assert faults(tmp_path, {}, {}, edited={"scores": [1]}) == ["scorecard: not as in CARD"]
    assert faults(tmp_path, {}, {}, edited={"made": "later"}) == []
    assert faults(tmp_path, {}, {}, edited={"test": []}) == ["CARD is no scorecard"]


def test_the_receipt_is_that_of_the_file_or_of_the_record_where_it_is_gone(tmp_path: Path) -> None:
    changed = faults(tmp_path, {}, {}, receipt={"data": {"x": 1}})
    assert changed == ["it names another receipt than the run has"]
    gone = tmp_path / "gone"
    gone.mkdir()
    assert faults(tmp_path, {}, {}, folder=gone) == UNKNOWN_CARD


def test_who_trained_a_model_is_what_its_run_says(tmp_path: Path) -> None:
    assert faults(tmp_path, {"trained": "ana"}, {}, attestation="ana") == []
    assert len(faults(tmp_path, {}, {}, attestation="ana")) == 1


def test_a_rollback_names_a_model_and_neither_receipt_nor_scorecard(tmp_path: Path) -> None:
    Registry(tmp_path).append("promote", "production", {"run": "first"}, "")
    less = {"receipt": "", "scorecard": "", "test": ""}
    assert faults(tmp_path, less, {}, "rollback") == []
    other = {**less, "model": "toy:b"}
    assert faults(tmp_path, other, {}, "rollback") == ["it names a model that is not of run ab12"]


def test_a_rollback_goes_back_to_a_promotion_as_it_was(tmp_path: Path) -> None:
    registry, state = Registry(tmp_path), StateDir(tmp_path)
    for run in "ab":
        facts = {"run": run, "model": f"toy:{run}", "model_digest": run * 2}
        registry.append("promote", "production", facts, "")
    registry.rollback("production", "")
    assert [[*line_faults(registry.history(), n, state)] for n in range(3)] == [[], [], []]
    registry.append("promote", "production", facts, "")
    changed = {"run": "a", "model": "toy:b", "model_digest": "cc"}
    registry.append("rollback", "production", changed, "")
    said = "model, model_digest: not as in the promotion that it goes back to"
    assert [*line_faults(registry.history(), 4, state)] == [said]
    registry.append("rollback", "production", changed, "")
    assert [*line_faults(registry.history(), 5, state)] == ["it goes back to no promotion"]
