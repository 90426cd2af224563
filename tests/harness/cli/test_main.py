"""The command line: what it prints, and that a mistake is one line and exit code 2."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tunegate.cli.main import main
from tunegate.data.dataset import Dataset
from tunegate.storage.registry import Registry
from tunegate.storage.state_dir import StateDir

Out = pytest.CaptureFixture[str]


def row(prompt: str) -> str:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "x"}]
    return json.dumps({"messages": messages})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tunegate.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def promote(root: Path, run: str) -> None:
    facts = {"run": run, "model": f"folder:{run}", "model_digest": run}
    Registry(root).append("promote", "production", facts, "because")


def test_init_writes_what_is_missing_and_keeps_what_is_there(tmp_path: Path, capsys: Out) -> None:
    assert main(["init", str(tmp_path)]) == 0
    first = capsys.readouterr().out
    assert "wrote  suites/data/test_format.py" in first
    assert "wrote  tunegate.toml" in first
    mine = tmp_path / "suites" / "data" / "test_format.py"
    mine.write_text("# mine")
    assert main(["init", str(tmp_path)]) == 0
    assert "kept   suites/data/test_format.py" in capsys.readouterr().out
    assert mine.read_text() == "# mine"


def test_the_configuration_that_init_writes_is_valid(tmp_path: Path) -> None:
    from tunegate.config.schema import Config, load

    main(["init", str(tmp_path)])
    written = load(tmp_path)
    assert written.limits == Config().limits
    assert written.data.train == "data/train.jsonl"


def test_split_writes_three_files_and_says_how_many(project: Path, capsys: Out) -> None:
    source = project / "all.jsonl"
    words = ["invoice", "parcel", "screen", "password", "refund", "job", "chair", "lamp"]
    prompts = [f"{a} {b} {c}" for a in words for b in words for c in words]
    source.write_text("\n".join(map(row, prompts)))
    assert main(["split", "all.jsonl", "-o", "data"]) == 0
    sizes = {s: len(Dataset.read(f"data/{s}.jsonl")) for s in ("train", "validation", "test")}
    assert sum(sizes.values()) == len(prompts)
    assert f"train: {sizes['train']}" in capsys.readouterr().out
    assert main(["split", "all.jsonl", "-o", "data"]) == 2
    assert "data/train.jsonl" in capsys.readouterr().err


def test_rollback_and_history(project: Path, capsys: Out) -> None:
    promote(project, "first")
    assert main(["rollback", "production", "--why", "bad"]) == 2
    assert "there is none before it" in capsys.readouterr().err
    promote(project, "second")
    assert main(["rollback", "production", "--why", "too slow"]) == 0
    assert "production is run:first again; it was run:second" in capsys.readouterr().out
    assert main(["history", "production"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["promote", "promote", "rollback"]
    assert lines[-1].endswith("too slow")


def test_purge_removes_the_data_and_the_answers(project: Path, capsys: Out) -> None:
    from tunegate.interfaces.model import Answer
    from tunegate.models.predict import request_of
    from tunegate.storage.answer_cache import AnswerCache

    data = row("my secret question").encode()
    state = StateDir(project)
    path = state.store_snapshot(data)
    request = request_of(Dataset.parse(data)[0])
    answers = AnswerCache(state.path("answers.sqlite"))
    answers.put("model", request, Answer(0, "my secret answer"))
    answers.close()
    assert main(["purge", path.stem[:8]]) == 0
    assert "and 1 answers" in capsys.readouterr().out
    left = b"".join(p.read_bytes() for p in state.folder.rglob("*") if p.is_file())
    assert b"secret" not in left
    assert main(["purge", path.stem[:8]]) == 2
    assert "fits 0 snapshots; kept are: none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["split", "nowhere.jsonl"], "nowhere.jsonl"),
        (["rollback", "production", "--why", "x"], "no tunegate.toml"),
        (["history"], "no tunegate.toml"),
    ],
)
def test_a_mistake_is_one_line(
    command: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.splitlines()) == 1


@pytest.fixture
def broken_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution has a command that cannot be imported."""
    (tmp_path / "broken_command.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    installed = [*metadata.entry_points(group="tunegate.commands")]
    installed.append(metadata.EntryPoint("broken", "broken_command", "tunegate.commands"))
    monkeypatch.setattr(metadata, "entry_points", lambda group: installed)


@pytest.mark.usefixtures("broken_command")
def test_a_broken_command_is_one_line(capsys: Out) -> None:
    assert main(["broken", "--option"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    message = "ModuleNotFoundError: No module named 'no_such_library'"
    assert err == f"tunegate broken: the command cannot be loaded ({message})\n"


@pytest.mark.usefixtures("broken_command")
def test_a_broken_command_breaks_no_other(project: Path, capsys: Out) -> None:
    assert main(["history"]) == 0
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    for line in ("init Copy the suites", "fix ", "review ", "broken the command cannot be loaded"):
        assert line in out


def test_a_wrong_name_is_told_the_valid_ones(capsys: Out) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["histroy"])
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    for name in ("histroy", "history", "init", "fix"):
        assert name in err


def test_only_the_command_that_is_named_is_imported(project: Path) -> None:
    code = "import sys; from tunegate.cli.main import main; main(['history']); print(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = printed.stdout.split()
    assert "tunegate.cli.history" in modules
    others = ("tunegate.cli.init", "tunegate_checks", "tunegate_qlora", "tunegate_openai")
    assert not [name for name in others if name in modules]
