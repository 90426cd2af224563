from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from elsewhere import adapter, open_gate
from tiny_llama import ticket, write

from tunegate.data.dataset import Dataset
from tunegate.errors import ConfigError
from tunegate.storage.registry import Registry, current_user
from tunegate.storage.state_dir import Run
from tunegate.tokenization.encode import encode_example
from tunegate_axolotl import export
from tunegate_axolotl.commands import import_run

Out = pytest.CaptureFixture[str]


def bring(*said: str) -> int:
    parser = argparse.ArgumentParser()
    import_run.arguments(parser)
    return import_run.run(parser.parse_args(said))


@pytest.fixture
def run(project: Path) -> Run:
    """A run whose gate is open, and its export in `there`."""
    (project / "tunegate.toml").write_text("")
    opened = open_gate(project, tested=False)
    export.write_export(opened, project / "there")
    return opened


@pytest.fixture(scope="module")
def trained(base: Path, template: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that learnt a little; nobody writes to it."""
    there = tmp_path_factory.mktemp("elsewhere")
    rows = [
        encode_example(example, template) for example in Dataset.of([ticket(i) for i in range(24)])
    ]
    data = write(there / "train.jsonl", list(export.axolotl_rows(rows)))
    return adapter(base, there / "out", data, steps=3)


@pytest.fixture
def out(trained: Path, run: Run, project: Path) -> Path:
    """The model that was trained from the export, where Axolotl leaves it."""
    return Path(shutil.copytree(trained, project / "there/out"))


def test_a_model_is_brought_in_and_what_is_not_proved_is_said(
    project: Path, run: Run, out: Path, capsys: Out
) -> None:
    run = open_gate(project)  # the same run, with test data beside
    (out / "checkpoint-9").mkdir()
    (out / "optimizer.pt").write_text("not ours")
    assert bring("there/out", "--receipt", run.id[:6]) == 0
    assert sorted(p.name for p in (run.folder / "adapter").iterdir()) == [
        *("README.md", "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja"),
        *("generation_config.json", "tokenizer.json", "tokenizer_config.json", "tunegate.json"),
    ]
    done = Run(run.state, run.id)
    figures = done.record["figures"]
    assert figures["trained"] == "elsewhere"
    assert "**Trained elsewhere**" in (run.folder / "adapter/README.md").read_text()
    assert done.attestation == (
        f"trained elsewhere; on the word of {current_user()}: "
        "that it was trained on these bytes, and no others; "
        "that the settings of axolotl.yaml were not changed"
    )
    assert done.record["baseline"]["n"] == 6
    assert done.record["model"] == f"folder:.tunegate/runs/{run.id}/adapter"
    done.verify()
    lines = capsys.readouterr().out
    assert "not proved  that it was trained on these bytes, and no others\n" in lines
    assert max(map(len, lines.splitlines())) <= 80


def test_a_whole_model_is_brought_in_with_its_base_s_tokenizer(
    run: Run, project: Path, base: Path
) -> None:
    opened = open_gate(project, tested=False, method="full")
    (project / "whole").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(base / name, project / "whole")
    bring("whole", "--receipt", opened.id)
    done = Run(run.state, opened.id)
    assert done.record["model"].endswith("/model")
    assert (done.folder / "model/chat_template.jinja").is_file()
    assert done.record["digest"]


def test_what_a_training_begun_here_left_is_not_the_model_s(run: Run, out: Path) -> None:
    (run.folder / "curves.jsonl").write_text('{"step": 1, "train_loss": 1.0}\n')
    (run.folder / "checkpoints/checkpoint-1").mkdir(parents=True)
    bring("there/out", "--receipt", run.id)
    done = Run(run.state, run.id)
    assert done.curves() == []
    assert not (done.folder / "checkpoints").exists()


def test_without_an_export_that_is_said_too(run: Run, out: Path, project: Path) -> None:
    out.rename(project / "alone")
    bring("alone", "--receipt", run.id)
    word = Run(run.state, run.id).attestation
    assert "no tunegate-run.json beside it" in word


def test_a_finished_run_takes_no_other_model(run: Run, out: Path) -> None:
    bring("there/out", "--receipt", run.id)
    with pytest.raises(ConfigError, match="is finished: it has its model"):
        bring("there/out", "--receipt", run.id)


def refused(run: Run, *said: str) -> str:
    with pytest.raises((ConfigError, ValueError)) as caught:
        bring("there/out", *(said or ("--receipt", run.id)))
    assert not run.finished
    assert not (run.folder / "adapter").exists()
    return str(caught.value)


def test_rows_that_were_changed_there_are_refused(run: Run, out: Path, project: Path) -> None:
    (project / "there/train.jsonl").write_text("{}")
    assert "train.jsonl changed since the export" in refused(run)


def test_a_note_of_an_older_version_is_read(run: Run, out: Path, project: Path) -> None:
    older = {"run": run.id, "receipt": "5e", "base_model": "base", "data": {}, "files": {}}
    (project / "there/tunegate-run.json").write_text(json.dumps(older))
    bring("there/out", "--receipt", run.id)
    assert Run(run.state, run.id).finished


def test_an_import_that_fails_leaves_nothing_that_would_pass_for_ours(
    run: Run, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise ValueError("the disk is full")

    monkeypatch.setattr("tunegate.gates.training_process.finish_run", fail)
    (run.folder / "figures.json").write_text("{}")
    assert refused(run) == "the disk is full"
    assert not (run.folder / "figures.json").exists()


def test_an_export_of_another_run_is_refused(run: Run, out: Path, project: Path) -> None:
    other = open_gate(project, epochs=7)
    told = refused(other)
    assert f"tunegate-run.json: run is {run.id}, the run's is {other.id}" in told
    for spoiled in ("[]", "no JSON"):
        (project / "there/tunegate-run.json").write_text(spoiled)
        assert f"tunegate-run.json: run is None, the run's is {run.id}" in refused(run)


def test_a_receipt_that_was_edited_is_refused(run: Run, out: Path, project: Path) -> None:
    edited = json.loads((run.folder / "receipt.json").read_text()) | {"made": "yesterday"}
    (run.folder / "receipt.json").write_text(json.dumps(edited))
    assert "was not written by a gate of this state tree" in refused(run)


def test_a_run_without_a_receipt_is_refused(run: Run, out: Path) -> None:
    (run.folder / "receipt.json").unlink()
    assert "no gate opened for this run" in refused(run)
    assert "no run 'nowhere'" in refused(run, "--receipt", "nowhere")


def test_a_base_that_changed_since_is_refused(
    run: Run, out: Path, project: Path, base: Path
) -> None:
    (project / "base").unlink()
    shutil.copytree(base, project / "base")
    (project / "base/config.json").write_text("{}")
    assert "has changed since this run was planned: plan it again" in refused(run)


DATA_SUITE = """\
def test_size(train, validation, test):
    assert len(train) and len(validation) and len(test)
"""
MODEL_SUITE = """\
def test_right(predictions):
    assert sum(p.right for p in predictions) == len(predictions)
"""


def pytest_(project: Path, *said: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *said]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_from_an_open_gate_by_another_trainer_to_a_promotion(project: Path, base: Path) -> None:
    splits = ("train", 24), ("validation", 6), ("test", 6)
    for split, n in splits:
        write(project / f"{split}.jsonl", [ticket(i, split) for i in range(n)])
    data = "".join(f'{split} = "{split}.jsonl"\n' for split, _ in splits)
    trainer = '[train.qlora]\nbase = "base"\nmax_new_tokens = 12\n'
    (project / "tunegate.toml").write_text(f"[data]\n{data}{trainer}")
    for name, text in (("data", DATA_SUITE), ("model", MODEL_SUITE)):
        (project / f"suites/{name}").mkdir(parents=True)
        (project / f"suites/{name}/test_{name}.py").write_text(text)

    told = pytest_(project, "suites/data", "--train-with", "qlora", "--elsewhere")
    (receipt,) = project.glob(".tunegate/runs/*/receipt.json")
    run = receipt.parent.name
    assert f"tunegate run export axolotl {run}" in told
    assert not (receipt.parent / "run.json").exists()

    from tunegate.storage.state_dir import StateDir, find_started

    there = project / "there"
    export.write_export(find_started(StateDir(project), run), there)
    adapter(base, there / "out", there / "train.jsonl", steps=60)
    bring("there/out", "--receipt", run)

    promote = ("--promote", "production", "--why", "good")
    told = pytest_(project, "suites/model", "--model", "latest", *promote)
    assert "trained elsewhere; on the word of" in told
    (entry,) = Registry(project).entries()
    assert entry["trained"].startswith("trained elsewhere; on the word of")
    (card,) = receipt.parent.glob("scorecards/*.json")
    assert json.loads(card.read_text())["trained"] == entry["trained"]
