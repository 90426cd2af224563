"""Two machines, as far as one can be two: processes of their own that meet at an address."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from elsewhere import open_gate

from tunegate.cli import main
from tunegate_qlora.trainer import QLoRATrainer

HERE = 'import sys; from tunegate.cli.main import main; sys.exit(main(["join", *sys.argv[1:]]))'
LORA = {"method": "lora", "compute": "float32", "dropout": 0.0, "batch": 4, "epochs": 1}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def refused(said: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main.main(["join", *said]) == 2
    return capsys.readouterr().err


def test_who_cannot_join_is_told_why(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tunegate.toml").write_text('[train.qlora]\nbase = "base"\n')
    alone = open_gate(project, **LORA)
    told = "this run is trained on one machine: `machines` in [train.qlora] is 1"
    assert told in refused([alone.id, "--machine", "1"], capsys)
    run = open_gate(project, **LORA, machines=3, address="127.0.0.1:1")
    for machine in ("0", "3"):
        told = f"--machine {machine}: of 3 machines, 1 to 2 join"
        assert told in refused([run.id, "--machine", machine], capsys)
    assert "no run 'none'" in refused(["none", "--machine", "1"], capsys)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/sys/class/net/lo").exists(), reason="names Linux's loopback")
def test_two_machines_train_as_one_does(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    (project / "tunegate.toml").write_text('[train.qlora]\nbase = "base"\n')
    alone = open_gate(project, **LORA, accumulation=2)
    one = QLoRATrainer().train(alone.plan, alone.folder)
    run = open_gate(project, **LORA, machines=2, address=f"127.0.0.1:{free_port()}")
    command = [sys.executable, "-c", HERE, run.id, "--machine", "1"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as joined:
        two = QLoRATrainer().train(run.plan, run.folder)
        told, _ = joined.communicate()
    assert joined.returncode == 0
    assert "joined    trained to the end; the first machine reads the model back" in told
    assert f"waiting   for the other machines: tunegate run join {run.id} --machine 1" in (
        capfd.readouterr().out
    )
    losses = {"train_loss", "validation_loss", "loss_from_disk"}
    before, after = ({k: figures[k] for k in losses} for figures in (one.figures, two.figures))
    assert after == pytest.approx(before, rel=1e-3)
    assert json.loads((run.folder / "figures.json").read_text())["steps"] == 3
