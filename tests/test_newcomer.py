"""A newcomer, for real: a fresh clone, `make demo` twice, the README's commands, the wheel."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from readmes import READMES, commands

ROOT = Path(__file__).parents[1]
SPLITS = ("train", "validation", "test")
PIP = "-m pip --quiet --disable-pip-version-check"
pytestmark = pytest.mark.slow


def run(command: str, folder: Path, **more: str) -> str:
    """Run a shell command as a newcomer would, outside of every environment of ours."""
    ours = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    hidden = (*ours, "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST")
    env = {k: v for k, v in os.environ.items() if k not in hidden} | more
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone with an environment of its own, which borrows the libraries of ours.

    That `make` installs them from nothing is what `.ci/run` begins with, in a fresh clone too.
    """
    folder = tmp_path_factory.mktemp("newcomer") / "tunegate"
    run(f"git clone --quiet {ROOT} {folder}", ROOT)
    run(f"{sys.executable} -m venv .venv", folder)
    (site,) = folder.glob(".venv/lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (site / "ours.pth").write_text("\n".join(ours))
    # pytest too, though it can be borrowed: its command must be of this environment.
    options = "--no-deps --ignore-installed -c constraints.txt"
    run(f".venv/bin/python {PIP} install {options} pytest -e .", folder)
    (folder / ".venv" / ".ready").touch()
    return folder


def test_the_demo_promotes_and_a_second_one_redoes_nothing(clone: Path) -> None:
    first = run("make demo", clone)
    assert "production is now run:" in first
    assert "of 480 answers right" in first
    assert "fine-tuned (QLoRA)" in first
    assert "no check and no score in" not in first  # nor in any of the stock suites' tests
    lines = (clone / "registry.jsonl").read_text().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["alias"] == "production"

    again = run("make demo", clone)
    assert "was trained on exactly this before; nothing to do" in again
    assert (clone / "registry.jsonl").read_text().splitlines() == lines
    assert run("git status --porcelain", clone) == ""


@pytest.mark.parametrize("readme", READMES[:1])
def test_the_commands_of_the_readme_work_in_a_project(
    readme: str, clone: Path, tmp_path: Path
) -> None:
    triage = clone / "examples" / "triage"
    files = [triage / "data" / f"{split}.jsonl" for split in SPLITS]
    rows = [line for file in files for line in file.read_text("utf-8").splitlines(keepends=True)]
    # Every second one: enough for each limit of the suites.
    (tmp_path / "tickets.jsonl").write_text("".join(rows[::2]), "utf-8")
    path = f"{clone / '.venv' / 'bin'}:{os.environ['PATH']}"
    printed = {}
    for command in commands(readme):
        if command.startswith("make"):
            continue
        printed[command] = run(command, tmp_path, PATH=path, HF_HUB_OFFLINE="1")
        if command == "tunegate init":
            shorten(tmp_path / "tunegate.toml", triage / "base")
    assert any("gate      open" in text for text in printed.values())
    assert "promote   production" in printed["tunegate registry history"]
    assert "Promoted: production" in printed["tunegate report"]


def shorten(config: Path, base: Path) -> None:
    """Name a base, and train briefly: what is tested here are the commands, not the model."""
    text = config.read_text().replace("# [train.qlora] ", "[train.qlora]")
    text = text.replace('# base = "path/to/a/base/model"', f'base = "{base}"')
    brief = "epochs = 1\nbatch = 32\nlearning_rate = 2e-3\nmax_new_tokens = 8\n"
    text = text.replace("# epochs = 3\n", brief).replace("# accuracy = 0.95", "accuracy = 0.0")
    config.write_text(text.replace("# macro_f1 = 0.90", "macro_f1 = 0.0"))


def test_the_wheel_alone_serves_an_empty_project(clone: Path, tmp_path: Path) -> None:
    run(f".venv/bin/python {PIP} wheel --no-deps -w {tmp_path} .", clone)
    wheel = next(tmp_path.glob("tunegate-*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    assert "tunegate/reporting/html/page.html" in names
    for part in ("tunegate/cli/template.toml", "tunegate/cli/example_check.txt"):
        assert part in names
    for part in ("tunegate/mutation/faults.toml", "tunegate/cli/schema_head.txt"):
        assert part in names
    for part in ("key_formats", "national_ids", "vocabulary"):
        assert f"tunegate_checks/detect/{part}.toml" in names
    for part in ("triage/base/model.safetensors", "triage/data/train.jsonl", "pt/project.toml"):
        assert f"tunegate/examples/{part}" in names
    run(f"{sys.executable} -m venv env", tmp_path)
    constraints = clone / "constraints.txt"
    run(f"env/bin/python {PIP} install --no-compile -c {constraints} {wheel}", tmp_path)

    project = tmp_path / "project"
    project.mkdir()
    run("../env/bin/tunegate init", project)
    data = clone / "examples" / "triage" / "data"
    options = " ".join(f"--{split}-data {data / split}.jsonl" for split in SPLITS)
    assert " passed" in run(f"../env/bin/pytest suites/data -q {options}", project)

    missing = subprocess.run(
        ["../env/bin/pytest", "suites/data", "-q", "--train-with", "qlora", *options.split()],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = missing.stdout + missing.stderr
    assert missing.returncode in (4, 70), told
    assert "Traceback" not in told
