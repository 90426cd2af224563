from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from elsewhere import open_gate
from tiny_llama import CHATML, make_base

from tunegate.errors import ConfigError
from tunegate.storage.state_dir import SealBroken
from tunegate.tokenization.chat_template import load_template
from tunegate_axolotl import export as exported
from tunegate_axolotl.commands import export
from tunegate_qlora.data import training_data


def run(*said: str) -> None:
    parser = argparse.ArgumentParser()
    export.arguments(parser)
    export.run(parser.parse_args([*said]))


@pytest.fixture
def configured(project: Path) -> Path:
    """A project that commands find."""
    (project / "tunegate.toml").write_text("")
    return project


def test_an_export_holds_settings_rows_and_the_way_back(
    configured: Path, base: Path, template: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_gate(configured)
    run(opened.id[:6])
    folder = configured / f"axolotl-{opened.id}"
    table = yaml.safe_load((folder / "axolotl.yaml").read_text())
    assert table["base_model"] == str(base)
    assert table["sequence_len"] == 256  # the base reads no more, whatever max_length says
    assert table["test_datasets"][0]["path"] == "validation.jsonl"
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    learnt = [[i for i in row["labels"] if i != -100] for row in rows]
    assert template.tokenizer.decode(learnt[3]) == "billing<|im_end|>"
    assert template.tokenizer.decode(rows[3]["input_ids"]).startswith(
        "<|im_start|>system\nWhich team?<|im_end|>\n<|im_start|>user\ntrain refund please"
    )
    assert json.loads((folder / "tunegate-run.json").read_text()) == {"run": opened.id}
    out = capsys.readouterr().out
    assert "wrote    axolotl.yaml, train.jsonl, validation.jsonl\n" in out
    assert f"base     {base}; where it lies elsewhere there" in out
    assert f"then     tunegate run import axolotl-{opened.id}/out --receipt {opened.id}\n" in out


def test_what_may_hold_personal_data_is_private_and_out_of_git(configured: Path) -> None:
    exported.write_export(open_gate(configured), configured / "out")
    assert (configured / "out").stat().st_mode & 0o077 == 0
    assert (configured / "out/.gitignore").read_text() == "*\n"


def test_files_whose_rows_were_changed_are_named(configured: Path) -> None:
    opened = open_gate(configured)
    exported.write_export(opened, configured / "out")
    job = training_data.make_job(opened.plan, opened.folder)
    assert exported.changed_rows(job, configured / "out") == []
    with open(configured / "out/train.jsonl", "ab") as file:
        file.write(b"\xff")  # no UTF-8 either
    (configured / "out/validation.jsonl").unlink()
    changed = exported.changed_rows(job, configured / "out")
    assert changed == ["train.jsonl", "validation.jsonl"]


def test_a_run_without_an_open_gate_is_not_exported(configured: Path) -> None:
    opened = open_gate(configured)
    receipt = opened.folder / "receipt.json"
    receipt.write_text(receipt.read_text().replace("train.jsonl", "other.jsonl"))
    with pytest.raises(SealBroken, match="was not written by a gate of this state tree"):
        exported.write_export(opened, configured / "out")
    assert not (configured / "out").exists()


def test_rows_that_are_too_long_are_refused_dropped_or_cut_as_here(configured: Path) -> None:
    with pytest.raises(ValueError, match="are longer than 70"):
        exported.write_export(open_gate(configured, max_length=70), configured / "out")
    for said in ("drop", "truncate"):
        opened = open_gate(configured, max_length=70, on_overflow=said)
        exported.write_export(opened, configured / said)
        rows = [json.loads(s) for s in (configured / said / "train.jsonl").read_text().splitlines()]
        job = training_data.make_job(replace(opened.plan, root=configured), opened.folder)
        read = training_data.load_training_data(job)
        told = [(row["input_ids"], row["labels"]) for row in rows]
        assert told == [(row.ids, row.labels) for row in read.train]
        assert max(len(ids) for ids, _ in told) <= 70


def test_rows_that_cannot_be_trained_on_are_refused(configured: Path) -> None:
    (configured / "base").unlink()
    make_base(configured / "base", template=CHATML.replace("assistant\n{% e", "robot\n{% e"))
    with pytest.raises(ValueError, match=r"line 1: .* not how the trained text begins"):
        exported.write_export(open_gate(configured), configured / "out")


def test_a_template_that_writes_the_date_writes_the_one_that_is_asked_here(
    configured: Path,
) -> None:
    (configured / "base").unlink()
    make_base(configured / "base", template="{{ strftime_now('%d %b %Y') }}" + CHATML)
    exported.write_export(open_gate(configured), configured / "out")
    row = json.loads((configured / "out/train.jsonl").read_text().splitlines()[0])
    chat = load_template(configured / "base")
    assert chat.tokenizer.decode(row["input_ids"]).startswith("26 Jul 2024<|im_start|>")


def test_nothing_is_written_over(configured: Path) -> None:
    opened = open_gate(configured)
    (configured / "there").mkdir()
    with pytest.raises(ConfigError, match="there is there already; name another"):
        run(opened.id, "-o", "there")
