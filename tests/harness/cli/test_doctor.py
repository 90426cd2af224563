"""`tunegate doctor`: what is missing and how to install it, and what it must not show."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tunegate.cli import doctor
from tunegate.cli.main import main
from tunegate.storage.registry import Registry

Out = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project; the machine is another test's."""
    (tmp_path / "tunegate.toml").write_text('task = "style"\n[data]\ntrain = "train.jsonl"\n')
    (tmp_path / "train.jsonl").write_text("{}\n")
    (tmp_path / "suites" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "machine_lines", list)
    return tmp_path


def told(capsys: Out, code: int = 0) -> str:
    """Run the command; return what it prints, on one line."""
    assert main(["doctor"]) == code
    lines = capsys.readouterr().out.splitlines()
    return " ".join(" ".join(lines).split())


def test_a_sound_project(project: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project.parent))
    facts = {"run": "0123456789ab", "model": "folder:x", "model_digest": "x"}
    Registry(project).append("promote", "production", facts, "because")
    printed = told(capsys)
    for line in (
        "tunegate 0.1.0, Python 3.",
        f"core filelock {metadata.version('filelock')}, ",
        f"project ~/{project.name}/tunegate.toml, task style",
        'set task = "style", not classification (tunegate.toml)',
        f"data train: train.jsonl, {(project / 'train.jsonl').stat().st_size:,} bytes",
        "latest no run is finished yet",
        "alias production is run:0123456789ab, since 20",
    ):
        assert line in printed
    assert re.search(r"since \d{4}-\d\d-\d\d$", printed)
    assert "PROBLEM" not in printed
    assert str(project) not in printed


def test_a_table_whose_default_is_a_text_is_shown(project: Path, capsys: Out) -> None:
    with (project / "tunegate.toml").open("a") as file:
        file.write('[label]\nkind = "json"\nfields = ["team"]\n')
    main(["doctor"])
    assert 'label.kind = "json" (tunegate.toml)' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ('task = "stile"', "project PROBLEM: "),
        ('[data]\ntrain = "gone.jsonl"', "data PROBLEM: "),
        ('[suites]\ndata = "gates/data"', "suites PROBLEM: no folder gates/data: tunegate init"),
    ],
)
def test_what_must_be_put_right_is_said(
    config: str, problem: str, project: Path, capsys: Out
) -> None:
    (project / "tunegate.toml").write_text(config)
    assert problem in told(capsys, code=1)


def test_a_broken_registry_and_no_project(
    project: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "registry.jsonl").write_text("{}\n")
    assert "alias PROBLEM: " in told(capsys, code=1)
    monkeypatch.chdir(project.parent)
    assert "project none here or above: tunegate init" in told(capsys)


def test_each_extra_that_is_missing_has_its_pip_line(
    project: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = metadata.version

    def installed(name: str) -> str:
        if name in ("openai", "tiktoken"):
            raise metadata.PackageNotFoundError(name)
        return {"numba": "0.1", "rich": "1.0"}.get(name) or version(name)

    monkeypatch.setattr(metadata, "version", installed)
    printed = told(capsys, code=1)
    assert "openai without openai, tiktoken: pip install 'tunegate[openai]'" in printed
    assert "fast without numba>=0.61 (it is 0.1): pip install 'tunegate[fast]'" in printed
    assert "core PROBLEM: rich>=13.9 (it is 1.0) is needed: pip install --upgrade tune" in printed


def test_what_is_personal_or_secret_is_masked(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-proj-" + "a1B2c3D4e5F6" * 4
    monkeypatch.setenv("OPENAI_API_KEY", key)
    masked = doctor.mask(f"key {key}, mail ana@correio.com.br, in {Path.home()}/x")
    assert "ana@" not in masked
    assert key not in masked
    assert masked.startswith("key <")
    assert masked.endswith(", in ~/x") or masked.endswith(" in ~/x")
    lines = {about: text for about, text, _ in doctor.machine_lines()}
    assert key not in str(lines)
    assert {"cpu", "gpu", "disk", "key"} <= lines.keys()


def test_settings_that_hold_a_key_are_hidden() -> None:
    table = {
        "models": {"two": {"api_key": "hunter2", "key_env": "MY_KEY", "headers": {
            "X-Api-Token": "hunter2", "Accept": "json"}, "secrets": {"a": ["hunter2"]}}},
        "tokens": {"tokenizer": "org/name", "max_length": 512},
    }  # fmt: skip
    assert [*doctor.settings(table, {})] == [
        "models.two.api_key = ***", 'models.two.key_env = "MY_KEY"',
        "models.two.headers.X-Api-Token = ***", 'models.two.headers.Accept = "json"',
        "models.two.secrets.a = ***",
        'tokens.tokenizer = "org/name"', "tokens.max_length = 512",
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("echo 'NVIDIA H200, 143771 MiB, 580.1'", "NVIDIA H200, 143771 MiB, 580.1"),
        ("echo 'no driver' >&2; exit 9", "PROBLEM: nvidia-smi fails: no driver"),
        (None, "none: there is no nvidia-smi"),
    ],
)
def test_the_gpu_is_what_its_driver_says(
    script: str | None, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script:
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ("gpu", line, {}) in doctor.machine_lines()
