"""`tunegate init --update`: what became of each file of a project's suites, three-way."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tunegate.cli.init import CONFIG_TEMPLATE
from tunegate.cli.main import main
from tunegate.config import suite_files
from tunegate.config.schema import load
from tunegate.config.suite_files import (
    MANIFEST_NAME,
    SuiteManifest,
    file_digest,
    older_than_installed,
    project_version,
    read_manifest,
    shipped_manifest,
)

Out = pytest.CaptureFixture[str]
FIRST = {"data/test_a.py": "a = 1\n", "data/test_b.py": "b = 1\n", "model/test_c.py": "c = 1\n"}


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The suites of an installed tunegate, in place of ours."""
    folder = tmp_path / "installed" / "suites"
    write(folder, FIRST)
    monkeypatch.setattr(suite_files, "SHIPPED_SUITES", folder)
    return folder


@pytest.fixture
def project(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> Path:
    """A project that has copied the first version."""
    root = tmp_path / "project"
    assert main(["init", str(root)]) == 0
    monkeypatch.chdir(root)
    capsys.readouterr()
    return root


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, newline="")


def suites(root: Path) -> dict[str, str]:
    folder = root / "suites"
    files = (p for p in folder.rglob("test_*.py") if p.name != "test_my_checks.py")
    return {p.relative_to(folder).as_posix(): p.read_text() for p in files}


def update(capsys: Out) -> str:
    assert main(["init", "--update"]) == 0
    return capsys.readouterr().out


def test_init_notes_the_version_and_each_file_as_it_was_shipped(project: Path) -> None:
    assert suites(project) == FIRST
    manifest = read_manifest(project)
    assert manifest == shipped_manifest()
    assert manifest is not None
    assert manifest.files == {path: file_digest(text.encode()) for path, text in FIRST.items()}
    assert older_than_installed(project) == ""


def test_each_file_is_updated_kept_added_or_named(
    project: Path, shipped: Path, capsys: Out
) -> None:
    write(shipped, {"data/test_a.py": "a = 2\n", "data/test_b.py": "b = 2\n", "data/test_n.py": ""})
    (shipped / "model/test_c.py").unlink()
    write(project / "suites", {"data/test_b.py": "b = 1\nmine = 1\n"})
    assert older_than_installed(project).startswith("older (0.1.0, ")
    assert update(capsys) == (
        "updated  suites/data/test_a.py\n"
        "edited   suites/data/test_b.py: by you, it stays; the installed one differs, see below\n"
        "added    suites/data/test_n.py\n"
        "retired  suites/model/test_c.py: no longer shipped; remove it, or keep it\n"
        "same     0 of 3 files\n"
        "\n"
        "--- a/suites/data/test_b.py\n"
        "+++ b/suites/data/test_b.py\n"
        "@@ -1,2 +1 @@\n"
        "-b = 1\n"
        "-mine = 1\n"
        "+b = 2\n"
        "\n"
        "next     take over what you want of the difference; an edited file is yours\n"
    )
    assert suites(project) == {
        "data/test_a.py": "a = 2\n",
        "data/test_b.py": "b = 1\nmine = 1\n",
        "data/test_n.py": "",
        "model/test_c.py": "c = 1\n",
    }
    assert older_than_installed(project) == ""
    again = update(capsys)
    assert "@@ -1,2 +1 @@" in again  # shown until it was taken over
    assert "same     2 of 3 files" in again
    write(project / "suites", {"data/test_b.py": "b = 2\n"})
    assert "same     3 of 3 files" in update(capsys)


def test_an_edited_file_that_did_not_change_since_has_no_difference_to_show(
    project: Path, shipped: Path, capsys: Out
) -> None:
    write(shipped, {"data/test_a.py": "a = 2\n"})
    write(project / "suites", {"data/test_b.py": "mine = 1\n"})
    told = update(capsys)
    assert "edited   suites/data/test_b.py: by you, and the installed one is not newer\n" in told
    assert "@@" not in told
    write(shipped, {"data/test_b.py": "b = 2\n"})  # the next version
    assert "@@" in update(capsys)


def test_a_file_that_was_removed_stays_removed_until_init(
    project: Path, shipped: Path, capsys: Out
) -> None:
    path = project / "suites" / "data" / "test_a.py"
    path.unlink()
    write(shipped, {"data/test_a.py": "a = 2\n"})
    for _ in range(2):
        told = update(capsys)
        assert "removed  suites/data/test_a.py: by you; `tunegate init` writes it again" in told
        assert not path.exists()
    main(["init"])
    assert path.read_text() == "a = 2\n"


def test_other_line_ends_are_no_edit(project: Path, shipped: Path, capsys: Out) -> None:
    write(project / "suites", {"data/test_a.py": "a = 1\r\n", "data/test_b.py": "b = 1\r\n"})
    write(shipped, {"data/test_a.py": "a = 2\n"})
    told = update(capsys)
    assert "updated  suites/data/test_a.py" in told
    assert "same     2 of 3 files" in told


def test_an_interrupted_update_is_taken_up(
    project: Path, shipped: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shipped, dict.fromkeys(FIRST, "new\n"))
    with monkeypatch.context() as patched:
        patched.setattr(SuiteManifest, "write", lambda self, root: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            main(["init", "--update"])
    write(project / "suites", {"data/test_b.py": "b = 1\n"})  # as if it had ended before this one
    told = update(capsys)
    assert "updated  suites/data/test_b.py\nsame     2 of 3 files" in told
    assert set(suites(project).values()) == {"new\n"}


def test_without_a_manifest_nothing_is_written_over(
    project: Path, shipped: Path, capsys: Out
) -> None:
    (project / "suites" / MANIFEST_NAME).unlink()
    write(project / "suites", {"data/test_a.py": "old\n"})
    assert project_version(project) is None
    assert older_than_installed(project) == ""
    told = update(capsys)
    assert "edited   suites/data/test_a.py: by you, it stays" in told
    assert "same     2 of 3 files" in told
    assert suites(project) == FIRST | {"data/test_a.py": "old\n"}


def test_suites_of_ones_own_are_no_older_version(shipped: Path, tmp_path: Path) -> None:
    write(tmp_path / "suites", {"data/test_mine.py": "mine\n", "data/test_a.py": "mine\n"})
    assert older_than_installed(tmp_path) == ""


def test_mistakes_are_one_line(project: Path, tmp_path: Path, capsys: Out) -> None:
    (project / "suites" / MANIFEST_NAME).write_text("{}")
    assert main(["init", "--update"]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "is not what `tunegate init` has written: take it back from git" in err
    assert older_than_installed(project)
    assert main(["init", "--update", str(tmp_path)]) == 2
    assert "is in no project; `tunegate init` makes one" in capsys.readouterr().err


def test_the_installed_suites_themselves_are_not_updated(
    shipped: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shipped.parent
    (root / "tunegate.toml").write_text("")
    monkeypatch.chdir(root)
    assert main(["init", "--update"]) == 2
    assert "holds the installed suites themselves" in capsys.readouterr().err
    assert main(["init"]) == 0
    assert not (shipped / MANIFEST_NAME).exists()


def test_only_python_and_toml_files_are_shipped() -> None:
    assert {Path(path).suffix for path in shipped_manifest().files} == {".py", ".toml"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_joins_the_registry(
    shipped: Path, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    assert main(["init", "--git-merge-driver"]) == 2
    assert "the merge driver is not set: fatal: " in capsys.readouterr().err
    assert not (root / ".gitattributes").exists()
    subprocess.run(["git", "init", "-q"], check=True)
    assert main(["init"]) == 0
    offered = capsys.readouterr().out
    assert 'git config merge.tunegate.driver "tunegate registry merge %A %B %O %P"' in offered
    (root / ".gitattributes").write_text("*.bin binary")
    for _ in range(2):
        assert main(["init", "--git-merge-driver"]) == 0
    text = (root / ".gitattributes").read_text()
    assert text == "*.bin binary\nregistry.jsonl merge=tunegate\n"
    command = ["git", "config", "merge.tunegate.driver"]
    driver = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert driver == "tunegate registry merge %A %B %O %P"
    capsys.readouterr()
    assert main(["init"]) == 0
    assert "git    " not in capsys.readouterr().out


def test_each_setting_in_the_comments_of_the_configuration_is_one(tmp_path: Path) -> None:
    template = CONFIG_TEMPLATE.read_text("utf-8")
    settings = re.sub(r'^# (?=\[|"?[\w.]+"? = )', "", template, flags=re.MULTILINE)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites/labels.py").write_text("def clean(text): return text\n")
    (tmp_path / "tunegate.toml").write_text(re.sub(r"^label = \"", '# "', settings, flags=re.M))
    config = load(tmp_path)
    assert config.compared == {"NAME": "openai:gpt-4o-mini"}
    assert config.limits.fields == {"address.city": 0.9}
    assert config.limits.command == ["ruff", "check", "{file}"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([], " (data/train.jsonl, data/validation.jsonl, data/test.jsonl: not there)"),
        (["data/train.jsonl", "data/test.jsonl"], " (data/validation.jsonl: not there)"),
        ([f"data/{split}.jsonl" for split in ("train", "validation", "test")], ""),
    ],
)
def test_init_says_which_data_is_not_there(
    files: list[str], says: str, shipped: Path, tmp_path: Path, capsys: Out
) -> None:
    root = tmp_path / "new"
    write(root, dict.fromkeys(files, ""))
    assert main(["init", str(root)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert says in last if says else last == "next   pytest suites/data"
    (root / "tunegate.toml").write_text('[data]\ntrain = "gone.jsonl"\n')
    assert main(["init", str(root)]) == 0
    assert "tunegate.toml (gone.jsonl: not there)" in capsys.readouterr().out


def test_task_and_data_stand_in_the_configuration(tmp_path: Path, capsys: Out) -> None:
    root = tmp_path / "new"
    names = ("my_train.csv", "my-validation.csv", "holdout_test.csv", "latest.md")
    write(root, {f"rows é/{name}": "a,b\n" for name in names})
    assert main(["init", str(root), "--task", "text", "--data", str(root / "rows é")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "next   pytest suites/data"
    config = load(root)
    assert config.task == "text"
    assert config.data.train == "rows é/my_train.csv"
    assert config.data.validation == "rows é/my-validation.csv"
    assert config.data.test == "rows é/holdout_test.csv"
    assert main(["init", str(root), "--task", "text"]) == 2
    assert "has a configuration: write task and data there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("training.csv", "dev.csv", "test2.csv"), ("training.csv", "dev.csv", "test2.csv")),
        (("x_TRAIN_1.csv", "valor.csv", "test.csv"), ("x_TRAIN_1.csv", None, "test.csv")),
        (("treino.csv", "val.csv", "ação_valid.csv"), (None, None, None)),
        (("trainer.csv", "latest.csv"), (None, None, None)),
    ],
)
def test_splits_are_known_by_whole_words(
    names: tuple[str, ...], found: tuple[str | None, ...], tmp_path: Path
) -> None:
    root = tmp_path / "new"
    write(root, {f"rows/{name}": "a,b\n" for name in names})
    assert main(["init", str(root), "--data", str(root / "rows")]) == 0
    data, unset = load(root).data, ("data/train.jsonl", "data/validation.jsonl", "data/test.jsonl")
    wanted = [f"rows/{name}" if name else u for name, u in zip(found, unset, strict=True)]
    assert [data.train, data.validation, data.test] == wanted


@pytest.mark.parametrize(("folder", "out"), [("my rows", "data"), ("data", "data/split")])
def test_train_alone_is_to_be_split(folder: str, out: str, tmp_path: Path, capsys: Out) -> None:
    root = tmp_path / "new"
    write(root, {f"{folder}/{name}": "a,b\n" for name in ("train.csv", "extra.csv")})
    assert main(["init", str(root), "--data", str(root / folder)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    source = shlex.quote(str(root / folder / "train.csv"))
    assert last == f"next   tunegate split {source} -o {out}"
    data = load(root).data
    assert data.train == f"{out}/train.jsonl"
    assert data.test == f"{out}/test.jsonl"


def test_questions_are_asked_again_and_may_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    answers = iter(["clasification"])

    def answer(_: str) -> str:
        for given in answers:
            return given
        raise EOFError

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["init", str(tmp_path / "new")]) == 130
    told = capsys.readouterr()
    assert told.out == "no task 'clasification', did you mean 'classification'?\n"
    assert told.err.strip() == "tunegate init: interrupted"


def test_one_file_is_to_be_split(tmp_path: Path, capsys: Out) -> None:
    root = tmp_path / "new"
    write(root, {"rows.csv": "text,label\n"})
    assert main(["init", str(root), "--data", str(root / "rows.csv")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"next   tunegate split {root / 'rows.csv'} -o data"
    assert main(["init", str(tmp_path / "other"), "--data", "nowhere"]) == 2
    assert "nowhere is not there: --data takes a file" in capsys.readouterr().err
    assert not (tmp_path / "other" / "tunegate.toml").exists()


def test_a_terminal_is_asked(tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["tickets", "qa", ""])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["init", str(tmp_path / "new")]) == 0
    assert load(tmp_path / "new").task == "qa"
    assert next(answers, None) is None


def test_what_may_hold_personal_data_is_kept_out_of_git(tmp_path: Path, capsys: Out) -> None:
    write(tmp_path, {".gitignore": "*.log\nreport*.html"})
    assert main(["init", str(tmp_path)]) == 0
    assert (
        "added  *.fix.csv, failures.jsonl, findings.html to .gitignore" in capsys.readouterr().out
    )
    lines = (tmp_path / ".gitignore").read_text().splitlines()
    assert lines == ["*.log", "report*.html", "*.fix.csv", "failures.jsonl", "findings.html"]


def test_the_example_of_a_check_finds_a_reply_that_repeats_its_prompt() -> None:
    from tunegate import Dataset
    from tunegate.cli.init import EXAMPLE_CHECK

    module: dict[str, Any] = {"__name__": "test_my_checks"}
    exec(EXAMPLE_CHECK.read_text("utf-8"), module)
    echo = module["echo"]
    rows = [{"prompt": "say it", "completion": reply} for reply in ("said", " say it ", "")]
    assert [finding.row for finding in echo(Dataset.of(rows, "train"), advisory=True)] == [1]
