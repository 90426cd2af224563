"""`preflight`, as a user sees it: what would be trained, memory, and the command; or why not."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pytest
from elsewhere import open_gate

from tunegate.errors import ConfigError
from tunegate_qlora.commands import preflight

SAID = """
[data]
train = ".tunegate/snapshots/train.jsonl"
[train.qlora]
base = "base"
batch = 4
"""


def configure(project: Path, more: str = "") -> None:
    (project / "tunegate.toml").write_text(SAID + more)


def command(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    preflight.arguments(parser)
    return preflight.run(parser.parse_args(argv))


def test_what_would_be_trained_is_told_and_nothing_is_changed(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(project, 'processes = 2\nsharding = "fsdp"\naccumulation = 2\n')
    assert command() == 0
    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "training  qlora, supervised, on base: 34,816 trained parameters"
    assert lines[1].startswith("          24 rows, 1,")
    assert lines[1].endswith(" tokens an epoch, 3 epochs")
    assert lines[2:4] == [
        "processes 2 processes on 1 machine, a GPU for each",
        "          16 rows a step (4 x 2 x 2), 2 steps an epoch",
    ]
    assert lines[4].startswith("memory    each GPU: about ")
    assert lines[5:] == ["command   pytest suites/data --train-with qlora"]
    assert sorted(path.name for path in project.iterdir()) == [
        ".tunegate", "base", "tunegate.toml",
    ]  # fmt: skip


def test_several_machines_and_a_planned_run(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(project)
    run = open_gate(project, machines=2, address="10.0.0.1:29500", batch=4)
    light = shutil.copytree((project / "base").resolve(), project / "light")
    (light / "model.safetensors").unlink()
    (project / "base").unlink()
    light.rename(project / "base")  # the weights are not needed
    assert command(run.id[:6]) == 0
    out = capfd.readouterr().out
    assert "processes 1 process on 2 machines, a GPU for each\n" in out


def test_more_processes_than_batches_are_refused(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(project, "processes = 9\n")
    assert command() == 70
    err = capfd.readouterr().err
    assert err.startswith(
        "tunegate run preflight: this cannot be trained\n  - 24 rows in batches of 4"
    )


def test_rows_that_cannot_be_trained_on_are_refused(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure(project, 'objective = "dpo"\n')
    assert command() == 70
    told = capfd.readouterr().err
    assert "  - train: line 3: no rejected reply\n  - train: 21 more rows cannot be" in told
    configure(project, "max_length = 5\n")
    assert command() == 70
    assert "  - train: 24 of 24 rows are longer than 5 tokens" in capfd.readouterr().err


def test_a_table_is_read_by_its_columns(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table = project / ".tunegate/snapshots/train.csv"
    table.write_text("text,reply\n" + "where is it?,delivery\n" * 8)
    configure(project)
    said = (project / "tunegate.toml").read_text().replace("train.jsonl", "train.csv")
    columns = 'columns = { prompt = "text", reply = "reply" }\n[train.qlora]'
    (project / "tunegate.toml").write_text(said.replace("[train.qlora]", columns))
    assert command() == 0
    assert "          8 rows, " in capfd.readouterr().out


def test_mistakes_are_one_line(project: Path) -> None:
    configure(project)
    with pytest.raises(ConfigError, match=r"^no run 'abc'; runs: none yet$"):
        command("abc")
    configure(project, "procesess = 2\n")
    with pytest.raises(ValueError, match="procesess"):
        command()
    (project / "tunegate.toml").write_text(SAID.replace("train = ", "test = "))
    with pytest.raises(ConfigError, match=r"name a file as `train` in \[data\], or a RUN"):
        command()
