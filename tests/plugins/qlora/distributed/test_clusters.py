"""What docs/training.md gives to Slurm, SkyPilot and Ray Train, run on one machine."""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from readmes import blocks
from tiny_llama import ticket, write

from tunegate.utils.processes import end_session
from tunegate_axolotl import export
from tunegate_axolotl.commands import export as export_command
from tunegate_axolotl.commands import import_run

PAGES = ("docs/training.md", "docs/training.pt-BR.md")
LAUNCHERS = ("slurm", "sky")
CONFIG = """\
[data]
train = "train.jsonl"
validation = "validation.jsonl"
test = "test.jsonl"
[train.qlora]
base = "base"
method = "lora"
compute = "float32"
dropout = 0.0
batch = 4
epochs = 1
machines = 2
address = "first:29500"
"""
SUITE = "def test_rows(dataset):\n    assert len(dataset)\n"
SCONTROL = "#!/bin/sh\necho 127.0.0.1\n"
# Starts the command on two nodes; the first that fails ends the other, as --kill-on-bad-exit does.
SRUN = """\
#!/bin/bash
[ "$1" = --kill-on-bad-exit=1 ] || exit 64
shift
SLURM_NODEID=1 "$@" &
SLURM_NODEID=0 "$@" || { code=$?; kill $!; exit $code; }
wait $!
"""


def scripts(page: str) -> tuple[str, str]:
    """Return `train.sh` and `job.sbatch`."""
    script, job = blocks(page, "bash")
    return script, job


def task(page: str) -> dict[str, object]:
    (text,) = blocks(page, "yaml")
    told: dict[str, object] = yaml.safe_load(text)
    return told


def test_both_pages_show_the_same() -> None:
    for language in ("bash", "yaml", "python", "console"):
        one, other = (
            [re.sub(r"^# .*", "#", block, flags=re.M) for block in blocks(page, language)]
            for page in PAGES
        )
        assert one == other


@pytest.mark.parametrize("page", PAGES)
def test_each_launcher_gives_the_script_machine_address_and_job(page: str) -> None:
    script, job = scripts(page)
    assert {*re.findall(r"\$(\d)", script.replace("$1 ==", "").replace("$2 }", ""))} == set("123")
    for text in (job, str(task(page)["run"])):
        (call,) = re.findall(r"bash train\.sh (.*)", text)
        assert len(shlex.split(call.rstrip("'"))) == 3
    (program,) = blocks(page, "python")
    (call,) = re.findall(r'\["bash", "train\.sh", (.*)\]', program)
    assert len(ast.parse(f"[{call}]", mode="eval").body.elts) == 3  # type: ignore[attr-defined]
    assert {"name", "num_nodes", "resources", "volumes", "setup", "run"} == set(task(page))


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_for_another_trainer_exist(page: str) -> None:
    told = [line[2:] for block in blocks(page, "console") for line in block.splitlines()]
    for begin, command in (("export axolotl", export_command), ("import", import_run)):
        (line,) = [line for line in told if line.startswith(f"tunegate run {begin} ")]
        parser = argparse.ArgumentParser()
        command.arguments(parser)
        parser.parse_args(shlex.split(line.removeprefix(f"tunegate run {begin}")))
    (line,) = [line for line in told if "axolotl train" in line]
    assert f"axolotl train {export.CONFIG_FILE}" in line


def prepare(project: Path) -> dict[str, str]:
    """Write the project with its script, and stand-ins for Slurm's commands; return a shell's."""
    rows = {"train": range(24), "validation": range(24, 30), "test": range(30, 36)}
    for split, numbers in rows.items():
        write(project / f"{split}.jsonl", [ticket(i, split) for i in numbers])
    (project / "tunegate.toml").write_text(CONFIG)
    for name, text in {
        "suites/data/test_it.py": SUITE, "train.sh": scripts(PAGES[0])[0],
        "bin/srun": SRUN, "bin/scontrol": SCONTROL,
    }.items():  # fmt: skip
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    for path in (project / "bin").iterdir():
        path.chmod(0o700)
    path = os.pathsep.join([str(project / "bin"), str(Path(sys.executable).parent)])
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "CI"))}
    return clean | {
        "PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "GLOO_SOCKET_IFNAME": "lo",
        "SLURM_JOB_NODELIST": "node[0-1]", "SLURM_JOB_ID": "7", "SKYPILOT_TASK_ID": "sky-7",
        "SKYPILOT_NODE_IPS": "127.0.0.1\n127.0.0.1",
    }  # fmt: skip


@contextmanager
def started(
    launcher: str, project: Path, env: Mapping[str, str]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start a job as its launcher does: Slurm's script on one node, SkyPilot's on each."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    text = scripts(PAGES[0])[1] if launcher == "slurm" else str(task(PAGES[0])["run"])
    text = text.replace("29500", port).replace("/project", str(project))
    children = [
        subprocess.Popen(
            ["bash", "-ec", text], cwd=project, env={**env, "SKYPILOT_NODE_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )
        for rank in range(1 if launcher == "slurm" else 2)
    ]  # fmt: skip
    try:
        yield children
    finally:
        for child in children:
            end_session(child)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/sys/class/net/lo").exists(), reason="names Linux's loopback")
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_machines_of_a_job_train_one_run(launcher: str, project: Path) -> None:
    with started(launcher, project, prepare(project)) as children:
        said = [child.communicate(timeout=240)[0].decode() for child in children]
    assert [child.returncode for child in children] == [0] * len(children), said
    (record,) = project.glob(".tunegate/runs/*/run.json")
    told = "".join(said)
    assert f"run {record.parent.name} is finished" in told
    assert "joined    trained to the end" in told
    assert json.loads((record.parent / "figures.json").read_text())["steps"] == 3


@pytest.mark.slow
def test_a_gate_that_stays_closed_ends_the_job(project: Path) -> None:
    env = prepare(project)
    (project / "suites/data/test_it.py").write_text(SUITE.replace("len(dataset)", "0"))
    with started("slurm", project, env) as (child,):
        said, _ = child.communicate(timeout=120)
    assert child.returncode == 1, said
    assert b"gate      closed" in said
    assert not list(project.glob(".tunegate/runs/*"))
