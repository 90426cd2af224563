"""The completion script: it knows groups, verbs and options, and completes file names."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tunegate.cli.main import main

Out = pytest.CaptureFixture[str]

COMPLETE = """\
source "$1"
shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_shtab_tunegate
echo "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("shtab")
    path = tmp_path_factory.mktemp("completion") / "tunegate.bash"
    command = [sys.executable, "-m", "tunegate", "--completion", "bash"]
    path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["acc"], {"accept"}),
        (["re"], {"report", "registry", "review"}),
        (["run", "m"], {"merge"}),
        (["run", "exp"], {"export"}),
        (["run", "export", ""], {"axolotl", "mlflow"}),
        (["run", "export", "mlflow", "--u"], {"--uri"}),
        (["registry", ""], {"history", "lineage", "rollback", "verify", "merge"}),
        (["run", "merge", "--o"], {"--out"}),
        (["split", "tick"], {"tickets.jsonl"}),
        (["hist"], set()),  # a former name is valid, and not offered
    ],
)
def test_bash_completes(
    words: list[str], completed: set[str], script: Path, tmp_path: Path
) -> None:
    (tmp_path / "tickets.jsonl").touch()
    command = ["bash", "--norc", "-c", COMPLETE, "complete", str(script), "tunegate", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} == completed


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script_too(shell: str, capsys: Out) -> None:
    pytest.importorskip("shtab")
    assert main(["--completion", shell]) == 0
    printed = capsys.readouterr().out
    assert [word for word in ("registry", "rollback", "prune") if word not in printed] == []


def test_without_shtab_it_is_one_line(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["--completion", "bash"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "tunegate --completion: shtab is not installed: pip install 'tunegate[completion]'\n"
    )
