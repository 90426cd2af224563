"""`tunegate registry lineage`: from a promotion to the data that the model was trained on."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from tunegate.cli.main import main

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]


def test_each_record_stands_with_its_digest(promoted: Project, capsys: Out) -> None:
    assert main(["registry", "lineage"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1:2]] == [
        "promotion", "scorecard", "model", "trained", "receipt", "train", "validation", "test",
    ]  # fmt: skip
    assert lines[0].endswith(": better")
    train = (promoted.root / "train.jsonl").read_bytes()
    assert lines[11].split() == [sha256(train).hexdigest()]
    line = (promoted.root / "registry.jsonl").read_bytes().splitlines()[0]
    assert lines[1].split() == [sha256(line).hexdigest()]
    assert lines[-1] == "they agree"
    assert main(["registry", "lineage", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["faults"] == []
    assert facts["records"][3]["what"].endswith("toy:base by toy")


def test_what_was_changed_is_told(promoted: Project, capsys: Out) -> None:
    record = promoted.run / "run.json"
    record.write_text(record.read_text().replace('"figures": {}', '"figures": {"loss": 0}'))
    assert main(["registry", "lineage"]) == 1
    assert "run.json" in capsys.readouterr().out.splitlines()[-1]


def test_without_the_run_nothing_is_compared(promoted: Project, capsys: Out) -> None:
    shutil.rmtree(promoted.run)
    assert main(["registry", "lineage"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "the run is not on this machine: nothing was compared"
    assert lines[6].endswith("not on this machine")


def test_an_alias_that_nothing_was_promoted_to(promoted: Project, capsys: Out) -> None:
    assert main(["registry", "lineage", "staging"]) == 2
    said = "nothing was promoted to 'staging'; aliases: production"
    assert said in capsys.readouterr().err
