"""The dry run, as a user sees it: what would run, and a rehearsal with real processes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from elsewhere import open_gate

from tunegate.cli import main
from tunegate_qlora.data import training_data
from tunegate_qlora.distributed import rehearsal
from tunegate_qlora.training.job import TrainingJob

SAID = """
[data]
train = ".tunegate/snapshots/train.jsonl"
[train.qlora]
base = "base"
batch = 4
"""


def configure(project: Path, more: str = "") -> None:
    (project / "tunegate.toml").write_text(SAID + more)


@pytest.mark.slow
def test_what_is_told_was_rehearsed(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures, real = [], rehearsal.rehearse

    def run(job: TrainingJob) -> dict[str, float | int]:
        """Rehearse with two processes that share the model out, and then alone."""
        own = {"processes": 1, "sharding": "none", "accumulation": 2}
        lonely = replace(job, settings=job.settings.model_copy(update=own), folder=project / "one")
        lonely.folder.mkdir()
        figures.extend([real(job), real(lonely)])
        return figures[0]

    monkeypatch.setattr(rehearsal, "rehearse", run)
    said = (
        'processes = 2\nsharding = "fsdp"\naccumulation = 2\ncompute = "float32"\ndropout = 0.0\n'
    )
    configure(project, said)
    assert main.main(["dry-run"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("dry run   qlora: 2 processes on 1 machine, a GPU for each\n")
    assert "          16 rows a step (4 x 2 x 2), 2 steps an epoch, 3 epochs\n" in out
    assert "memory    each GPU: about " in out
    assert "sharding  fsdp: each process holds 1/2 of every LlamaDecoderLayer\n" in out
    assert "            distributed_type: FSDP\n" in out
    assert "            accelerate launch --config_file RUN/accelerate.yaml --machine_rank 0" in out
    assert "          good: 2 steps of the base's architecture in small, a checkpoint,\n" in out
    assert "not seen  the weights in their real size, mixed precision and NCCL on GPUs" in out
    assert sorted(path.name for path in project.iterdir()) == [
        ".tunegate", "base", "one", "tunegate.toml",
    ]  # fmt: skip
    for key in ("steps", "train_loss", "loss_from_disk"):
        assert figures[0][key] == pytest.approx(figures[1][key], rel=1e-4)


def test_several_machines_and_a_planned_run(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project)
    monkeypatch.setattr(rehearsal, "rehearse", lambda job: {"steps": 2})
    run = open_gate(project, machines=2, address="10.0.0.1:29500", batch=4)
    light = shutil.copytree((project / "base").resolve(), project / "light")
    (light / "model.safetensors").unlink()
    (project / "base").unlink()
    light.rename(project / "base")  # the weights are not needed
    assert main.main(["dry-run", run.id[:6]]) == 0
    out = capfd.readouterr().out
    assert out.startswith("dry run   qlora: 1 process on 2 machines, a GPU for each\n")
    assert "            main_process_ip: 10.0.0.1\n" in out
    assert "elsewhere: tunegate join RUN --machine 1 (2, ...), which runs\n" in out
    assert "--machine_rank 1 -m tunegate_qlora.distributed.worker RUN/workers/order-1.json\n" in out


def test_what_cannot_be_trained_is_not_rehearsed(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(project, "processes = 9\n")
    assert main.main(["dry-run"]) == 70
    err = capfd.readouterr().err
    assert err.startswith("tunegate dry-run: this cannot be trained\n  - 24 rows in batches of 4")


def test_rows_that_preflight_refuses_are_refused_here(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(project, 'objective = "dpo"\n')
    assert main.main(["dry-run"]) == 70
    told = "  - train: 24 of 24 rows have no rejected reply (lines 1, 2, 3, ...)"
    assert told in capfd.readouterr().err
    configure(project, "max_length = 5\n")
    assert main.main(["dry-run"]) == 70
    assert "  - 24 of 24 rows are longer than 5 tokens" in capfd.readouterr().err


def test_a_table_is_rehearsed_in_packed_rows(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = project / ".tunegate/snapshots/train.csv"
    table.write_text("text,reply\n" + "where is it?,delivery\n" * 8)
    seen: list[int] = []

    def run(job: TrainingJob) -> dict[str, float | int]:
        seen.extend(
            [
                job.settings.batch,
                len(
                    training_data.load_training_data(job.plan, job.settings, job.base_folder).train
                ),
            ]
        )
        return {"steps": 2}

    monkeypatch.setattr(rehearsal, "rehearse", run)
    configure(project, "packing = true\n")
    said = (project / "tunegate.toml").read_text().replace("train.jsonl", "train.csv")
    columns = 'columns = { prompt = "text", reply = "reply" }\n[train.qlora]'
    (project / "tunegate.toml").write_text(said.replace("[train.qlora]", columns))
    assert main.main(["dry-run"]) == 0
    assert seen == [2, 4]  # two rows in each of two steps: one has nothing to be kept apart from


def test_mistakes_are_one_line(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    configure(project)
    assert main.main(["dry-run", "abc"]) == 2
    err = capfd.readouterr().err
    assert err == "tunegate run preflight: 'abc' fits 0 runs; there are: none yet\n"
    configure(project, "procesess = 2\n")
    assert main.main(["dry-run"]) == 2
    assert "procesess" in capfd.readouterr().err
    (project / "tunegate.toml").write_text(SAID.replace("train = ", "test = "))
    assert main.main(["dry-run"]) == 2
    assert "name a file as `train` in [data], or a RUN" in capfd.readouterr().err


@pytest.mark.slow
def test_one_process_rehearses_without_a_launch(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(project)
    assert main.main(["dry-run"]) == 0
    out = capfd.readouterr().out
    assert "rehearsal 1 of 1 processes, on this CPU" in out
    assert "          resumed from it to the same weights, saved, read back\n" in out
