"""The command line: what it prints, and that a mistake is one line and exit code 2."""

import argparse
import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tunegate.cli.main import (
    ALIASES,
    DAILY,
    GROUPS,
    installed_commands,
    load_command,
    main,
)
from tunegate.data.dataset import Dataset
from tunegate.interfaces import ModelUnknown
from tunegate.storage.registry import Registry
from tunegate.storage.state_dir import SealBroken, StateDir

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
    assert "wrote  suites/data: 15 files" in first
    assert "wrote  suites/data/test_my_checks.py: an example, yours to edit" in first
    assert "wrote  tunegate.toml" in first
    mine = tmp_path / "suites" / "data" / "test_format.py"
    mine.write_text("# mine")
    assert main(["init", str(tmp_path)]) == 0
    assert "kept   suites/data: 15 files" in capsys.readouterr().out
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
    assert f"removed {path.stem[:12]} and 1 answer to its prompts\n" in capsys.readouterr().out
    left = b"".join(p.read_bytes() for p in state.folder.rglob("*") if p.is_file())
    assert b"secret" not in left
    assert main(["purge", path.stem[:8]]) == 2
    assert f"no snapshot '{path.stem[:8]}'; snapshots: none yet" in capsys.readouterr().err


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


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("buffering", [-1, 1])
@pytest.mark.parametrize(
    "words", [["registry", "history"], ["doctor"], ["--help"], ["fix", "--help"], ["run"]]
)
def test_output_that_nobody_reads_ends_without_a_word(
    words: list[str], buffering: int, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", buffering) as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        status = main(words)
    # argparse itself passes over a help that cannot be written.
    assert status == 141 or buffering == 1
    assert capsys.readouterr().err == ""


def test_nothing_is_said_at_the_end_of_python_either(project: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "tunegate", "registry", "history"],
            stdout=closed, stderr=subprocess.PIPE, cwd=project, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_broken_pipe_of_something_else_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    def fail(self: Registry) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(Registry, "history", fail)
    assert main(["registry", "history"]) == 2
    assert capsys.readouterr().err == "tunegate registry history: Broken pipe\n"


@pytest.mark.parametrize("mistake", [SealBroken, ModelUnknown])
def test_a_broken_seal_and_an_unknown_model_are_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, mistake: type[Exception]
) -> None:
    def fail(self: Registry) -> None:
        raise mistake("what is wrong, and what to do")

    monkeypatch.setattr(Registry, "history", fail)
    assert main(["registry", "history"]) == 2
    assert capsys.readouterr().err == "tunegate registry history: what is wrong, and what to do\n"


def test_a_full_disk_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["registry", "history"]) == 2
    said = "tunegate: not all was printed: No space left on device\n"
    assert capsys.readouterr().err == said


@pytest.fixture
def broken_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution has commands that cannot be imported, and one whose package exits."""
    (tmp_path / "broken_command.py").write_text('''"""Break."""\nimport no_such_library''')
    (tmp_path / "leaving").mkdir()
    (tmp_path / "leaving" / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    installed = [*metadata.entry_points(group="tunegate.commands")]
    for name, module in (
        *(("broken", "broken_command"), ("boom", "not_there.cmd"), ("run.leave", "leaving.cmd")),
        ("init", "broken_command"),  # the core's keep their names
    ):
        installed.append(metadata.EntryPoint(name, module, "tunegate.commands"))
    monkeypatch.setattr(metadata, "entry_points", lambda group: installed)


@pytest.mark.usefixtures("broken_command")
@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["broken", "--option"], "ModuleNotFoundError: No module named 'no_such_library'"),
        (["boom"], "ModuleNotFoundError: No module named 'not_there'"),
        (["run", "leave"], "SystemExit: 3"),
    ],
)
def test_a_broken_command_is_one_line(capsys: Out, words: list[str], error: str) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    path = " ".join(word for word in words if word[0] != "-")
    assert err == f"tunegate {path}: the command cannot be loaded ({error})\n"


@pytest.mark.usefixtures("broken_command")
def test_a_broken_command_breaks_no_other(project: Path, capsys: Out) -> None:
    assert main(["registry", "history"]) == 0
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    for line in (
        "  init       Copy the suites and a commented configuration into a project.",
        "  fix        Redact",
        "  review     sample, serve, status, rate",
        "  run        preflight, resume, join, job, pack, unpack, export axolotl, export\n"
        "             mlflow, import, merge, serve-check, diagnose, attest, purge, leave",
        "  broken     Break.",  # read from its source
        "  boom       the command cannot be loaded (ModuleNotFoundError: No module na...",
    ):
        assert line in out
    assert main(["run"]) == 0
    assert "  leave      the command cannot be loaded (SystemExit: 3)\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["histroy"], "no command 'histroy', did you mean `tunegate registry history`? commands: "),
        (["preflight"], "no command 'preflight', did you mean `tunegate run preflight`?"),
        (["dryrun"], "no command 'dryrun', did you mean `tunegate run preflight`?"),
        (["regstry"], "no command 'regstry', did you mean `tunegate registry`?"),
        (
            ["zzz"],
            "no command 'zzz'; commands: accept, data diff, data findings, data generate, ",
        ),
        (["run", "mrege"], "run: no verb 'mrege', did you mean 'merge'? verbs: preflight, resume,"),
        (["registry", "zzz"], "registry: no verb 'zzz'; verbs: history, lineage, rollback"),
    ],
)
def test_a_wrong_name_is_told_the_valid_ones(capsys: Out, words: list[str], told: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert told in err


def test_commands_of_three_words_are_a_group_of_their_own(capsys: Out) -> None:
    assert main(["run", "export"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: tunegate run export VERB ...")
    assert "\n  axolotl    Write a run's data and settings for Axolotl.\n" in out
    assert out.endswith("example:  tunegate run export axolotl --help\n")
    with pytest.raises(SystemExit):
        main(["export", "mlfow", "3fa9c1"])
    told = "no verb 'mlfow', did you mean 'mlflow'? verbs: axolotl, mlflow\n"
    assert capsys.readouterr().err == f"tunegate run export: {told}"


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("history", "registry history"),
        ("history zzz", "registry history"),
        ("tokens x", "data tokens"),
    ],
)
def test_former_names_still_work(
    words: str, path: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that was loaded is that of the new name, and its arguments are the rest."""
    called: list[object] = []

    class Recorder:
        __doc__ = "Record."

        @staticmethod
        def arguments(parser: argparse.ArgumentParser) -> None:
            parser.add_argument("rest", nargs="*")

        @staticmethod
        def run(args: argparse.Namespace) -> None:
            called.append(args.rest)

    def load(entry_point: metadata.EntryPoint) -> object:
        called.append(entry_point.name.replace(".", " "))
        return Recorder

    # Of another class where importlib_metadata was imported, which takes the place of Python's.
    for kind in {metadata.EntryPoint, *map(type, installed_commands().values())}:
        monkeypatch.setattr(kind, "load", load)
    assert main(words.split()) == 0
    assert called == [path, words.split()[1:]]


def test_each_former_name_leads_to_a_command_and_none_is_lost() -> None:
    commands = installed_commands()
    paths = {" ".join(path.split()[:2]) for path in commands}
    assert {" ".join(target.split()[:2]) for target in ALIASES.values()} <= paths
    former = "accept cancel dry-run export failures fix history import-run init job join merge"
    former += " purge report resume rollback split tokens"
    reachable = {*ALIASES, *commands}
    assert set(former.split()) <= reachable


def test_each_command_of_the_help_exists_and_each_command_is_in_the_help() -> None:
    named = {name for name in DAILY if not name.startswith("pytest ")}
    named |= {f"{group} {verb}" for group, verbs in GROUPS.items() for verb in verbs}
    assert named == {*installed_commands()}


@pytest.mark.parametrize("words", [[], ["run"], ["registry"], ["review"], ["data"], ["-h"]])
def test_each_list_of_commands_fits_a_screen(
    words: list[str], capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with contextlib.suppress(SystemExit):
        main(words)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "..." not in "".join(lines[1:])  # no summary is cut
    assert any(line.startswith("example:  tunegate ") for line in lines)


@pytest.mark.parametrize("path", sorted(installed_commands()))
def test_each_help_fits_a_screen_with_examples_that_parse(
    path: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, parser = load_command(path, installed_commands()[path])
    lines = parser.format_help().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    examples = [line.strip() for line in lines[lines.index("example:") + 1 :]]
    assert examples
    for example in examples:
        words = shlex.split(example)
        assert words[: 2 + path.count(" ") + 1] == ["$", "tunegate", *path.split()]
        parser.parse_args(words[2 + path.count(" ") + 1 :])
    with pytest.raises(SystemExit) as stopped:
        main([*path.split(), "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: tunegate {path} ")


@pytest.mark.parametrize("words", [["history"], ["registry", "history"], ["--help"], ["run"]])
def test_only_the_command_that_is_named_is_imported(project: Path, words: list[str]) -> None:
    code = (
        f"import sys; from tunegate.cli.main import main\ntry: main({words})\n"
        "except SystemExit: pass\nprint(*sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = printed.stdout.splitlines()[-1].split()
    assert ("tunegate.cli.history" in modules) == ("history" in words)
    others = {
        entry_point.module
        for path, entry_point in installed_commands().items()
        if path != "registry history"
    }
    assert not others & {*modules}
    packages = ("pandas", "torch", "tunegate_checks.fix.steps", "tunegate_openai.client", "rich")
    assert not [name for name in packages if name in modules]


@pytest.mark.parametrize("page", ["commands.md", "commands.pt-BR.md"])
def test_the_page_of_commands_lists_each_command_and_each_former_name(page: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / page).read_text("utf-8")
    listed = re.findall(r"^\| `tunegate ([^`]+)`", text, re.M)
    paths = installed_commands()
    rows = {path for row in listed for path in paths if f"{row} ".startswith(f"{path} ")}
    assert rows == {*paths}
    assert len(listed) == len(paths)
    assert [name for name in ALIASES if f"`{name}`" not in text] == []
