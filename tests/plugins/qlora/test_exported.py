from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import yaml
from elsewhere import open_gate, sha
from tiny_llama import CHATML, make_base

from tunegate.project import ConfigError
from tunegate.sealed import SealBroken
from tunegate_qlora import exported
from tunegate_qlora.commands import export


def run(*said: str) -> None:
    parser = argparse.ArgumentParser()
    export.arguments(parser)
    export.run(parser.parse_args(["axolotl", *said]))


@pytest.fixture
def configured(project: Path) -> Path:
    """A project that commands find."""
    (project / "tunegate.toml").write_text("")
    return project


def test_an_export_holds_settings_rows_and_the_way_back(
    configured: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_gate(configured)
    run(opened.id[:6])
    folder = configured / f"axolotl-{opened.id}"
    table = yaml.safe_load((folder / "axolotl.yaml").read_text())
    assert table["base_model"] == str(base)
    assert table["sequence_len"] == 256  # the base reads no more, whatever max_length says
    assert table["test_datasets"][0]["path"] == "validation.jsonl"
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    assert [m["content"] for m in rows[3]["messages"]] == [
        *("Which team?", "train refund please please please 3", "billing"),
    ]
    told = json.loads((folder / "tunegate-run.json").read_text())
    assert told["run"] == opened.id
    assert told["data"] == {
        split: getattr(opened.plan, split).stem for split in ("train", "validation")
    }
    assert told["files"] == {
        n: sha(folder / n) for n in ("axolotl.yaml", "train.jsonl", "validation.jsonl")
    }
    out = capsys.readouterr().out
    assert f"then     tunegate import-run axolotl-{opened.id}/out --receipt {opened.id}\n" in out


def test_what_may_hold_personal_data_is_private_and_out_of_git(configured: Path) -> None:
    exported.write(open_gate(configured), configured / "out")
    assert (configured / "out").stat().st_mode & 0o077 == 0
    assert (configured / "out/.gitignore").read_text() == "*\n"


def test_an_export_is_found_from_where_the_model_lies(configured: Path) -> None:
    made = exported.write(open_gate(configured), configured / "out")
    (configured / "out/model").mkdir()
    assert exported.read(configured / "out/model") == (configured / "out", made)
    assert exported.read(configured) is None
    assert made.changed(configured / "out") == []
    (configured / "out/train.jsonl").write_text("other")
    (configured / "out/axolotl.yaml").unlink()
    assert made.changed(configured / "out") == ["axolotl.yaml", "train.jsonl"]


def test_a_run_without_an_open_gate_is_not_exported(configured: Path) -> None:
    opened = open_gate(configured)
    receipt = opened.folder / "receipt.json"
    receipt.write_text(receipt.read_text().replace("train.jsonl", "other.jsonl"))
    with pytest.raises(SealBroken, match="was not written by a gate of this state tree"):
        exported.write(opened, configured / "out")
    assert not (configured / "out").exists()


def test_rows_that_axolotl_would_cut_are_refused(configured: Path) -> None:
    for said, told in (("raise", "are longer than 70"), ("truncate", "Axolotl cuts the end")):
        opened = open_gate(configured, max_length=70, on_overflow=said)
        with pytest.raises(ValueError, match=told):
            exported.write(opened, configured / "out")
    opened = open_gate(configured, max_length=70, on_overflow="drop")
    assert exported.write(opened, configured / "out")


def test_rows_that_cannot_be_trained_on_are_refused(configured: Path) -> None:
    (configured / "base").unlink()
    make_base(configured / "base", template=CHATML.replace("assistant\n{% e", "robot\n{% e"))
    with pytest.raises(ValueError, match=r"train: line 1: .* not how the trained text begins"):
        exported.write(open_gate(configured), configured / "out")


def test_a_template_that_writes_the_date_is_refused(configured: Path) -> None:
    (configured / "base").unlink()
    make_base(configured / "base", template="{{ strftime_now('%d %b %Y') }}" + CHATML)
    with pytest.raises(ValueError, match="the chat template writes the date, and Axolotl would"):
        exported.write(open_gate(configured), configured / "out")


def test_nothing_is_written_over(configured: Path) -> None:
    opened = open_gate(configured)
    (configured / "there").mkdir()
    with pytest.raises(ConfigError, match="there is there already; name another"):
        run(opened.id, "-o", "there")
