"""`tunegate registry verify` and `merge`: what they print, and their exit status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tunegate.cli.main import main
from tunegate.storage.registry import Registry

GOLDEN = Path(__file__).parents[2] / "golden"
OLDER, NEWER = "f3dd6e51525e", "b35e4f54f237"

Out = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two runs and four entries, as an older tunegate wrote them."""
    shutil.copytree(GOLDEN / "state", tmp_path / ".tunegate")
    shutil.copy(GOLDEN / "registry.jsonl", tmp_path)
    (tmp_path / ".tunegate" / ".gitignore").touch()
    (tmp_path / "tunegate.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit_last(root: Path, **changed: Any) -> None:
    """Edit the last line, whose digest no line names."""
    path = root / "registry.jsonl"
    *before, last = path.read_text("utf-8").splitlines()
    entry = json.dumps(json.loads(last) | changed, ensure_ascii=False, sort_keys=True)
    path.write_text("\n".join([*before, entry]) + "\n", "utf-8")


def verify(capsys: Out, code: int) -> list[str]:
    assert main(["registry", "verify"]) == code
    return capsys.readouterr().out.splitlines()


def test_an_old_registry_verifies(project: Path, capsys: Out) -> None:
    before = sorted(project.rglob("*"))
    assert verify(capsys, 0) == ["4 entries, 0 wrong; 4 compared with a run that is here"]
    assert sorted(project.rglob("*")) == before


def test_runs_that_are_not_here_are_counted(project: Path, capsys: Out) -> None:
    shutil.rmtree(project / ".tunegate")
    assert verify(capsys, 0) == ["4 entries, 0 wrong; 0 compared with a run that is here"]
    assert not (project / ".tunegate").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"run": NEWER}, "run: not as in the promotion that it goes back to"),
        ({"model_digest": "0" * 64}, f"it names a model that is not of run {OLDER}"),
        ({"model": "toy:other"}, "model: not as in the promotion that it goes back to"),
        ({"trained": "by me"}, "what it says of who trained the model is not what the run says"),
    ],
)
def test_an_edited_rollback(project: Path, capsys: Out, changed: dict[str, str], said: str) -> None:
    edit_last(project, **changed)
    *faults, _ = verify(capsys, 1)
    assert f"{project / 'registry.jsonl'}, line 4: {said}" in faults
    assert all(", line 4: " in fault for fault in faults)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"run": OLDER}, "it names another receipt than the run has"),
        ({"receipt": "0" * 64}, "it names another receipt than the run has"),
        ({"model_digest": "0" * 64}, f"it names a model that is not of run {NEWER}"),
        ({"scorecard": "0" * 64}, "the scorecard that it names is not among those of the run"),
        ({"scorecard": "../../../x"}, "the scorecard that it names is not among those of the run"),
        ({"test": "0" * 64}, "test: not as in "),
    ],
)
def test_an_edited_promotion(
    project: Path, capsys: Out, changed: dict[str, str], said: str
) -> None:
    path = project / "registry.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    edit_last(project, **changed)
    assert any(fault.split(", line 3: ")[1].startswith(said) for fault in verify(capsys, 1)[:-1])


@pytest.mark.parametrize("key", ["alias", "why", "who", "when"])
def test_what_no_run_knows_is_signed_where_it_was_written(
    project: Path, capsys: Out, key: str
) -> None:
    first = Registry(project).entries()[0]
    Registry(project).append("promote", "canary", first, "good")
    assert verify(capsys, 0)[-1].startswith("5 entries, 0 wrong")
    edit_last(project, **{key: "edited"})
    (fault, _) = verify(capsys, 1)
    assert fault.endswith("line 5: it is not as tunegate wrote it here: it was edited since")
    shutil.rmtree(project / ".tunegate")
    assert verify(capsys, 0)[-1].startswith("5 entries, 0 wrong")  # elsewhere nobody can say so


def test_the_history_says_that_its_last_line_was_edited(project: Path, capsys: Out) -> None:
    assert main(["registry", "history"]) == 0
    assert "does not hold" not in capsys.readouterr().out
    edit_last(project, model="toy:other")
    for alias in ([], ["production"]):
        assert main(["registry", "history", *alias]) == 1
        assert capsys.readouterr().out.splitlines()[-1] == (
            "the last entry, line 4, does not hold: model: not as in the promotion that it goes "
            "back to; tunegate registry verify"
        )


def test_a_run_that_is_no_name_is_compared_with_nothing(project: Path, capsys: Out) -> None:
    for run in (f"../runs/{OLDER}", "", ["x"], None):
        edit_last(project, run=run)
        assert verify(capsys, 1)[-1].startswith("4 entries, 1 wrong; 3 compared")


def test_a_history_without_entries_is_a_line(project: Path, capsys: Out) -> None:
    assert main(["registry", "history", "prodution"]) == 0
    assert capsys.readouterr().out == (
        "no promotion of 'prodution' yet; aliases: production, staging\n"
    )
    (project / "registry.jsonl").unlink()
    assert main(["registry", "history"]) == 0
    assert capsys.readouterr().out == "no promotion yet; aliases: none\n"


def test_a_promotion_whose_scorecard_is_gone(project: Path, capsys: Out) -> None:
    shutil.rmtree(project / ".tunegate" / "runs" / NEWER / "scorecards")
    *faults, _ = verify(capsys, 1)
    lacks = "the scorecard that it names is not among those of the run"
    assert [fault.partition("line ")[2] for fault in faults] == [f"2: {lacks}", f"3: {lacks}"]


def test_a_changed_run(project: Path, capsys: Out) -> None:
    path = project / ".tunegate" / "runs" / OLDER / "run.json"
    path.write_text(path.read_text().replace("toy.txt", "tyo.txt"))
    faults = verify(capsys, 1)[:-1]
    assert [fault.split(": ")[0][-6:] for fault in faults] == ["line 1", "line 4"]
    assert all("run.json was not written by a gate of this state tree" in f for f in faults)


def test_a_broken_chain(project: Path, capsys: Out) -> None:
    path = project / "registry.jsonl"
    path.write_bytes(path.read_bytes().replace(b"the first one", b"the second one"))
    (line,) = verify(capsys, 1)
    assert "line 2: the chain is broken here" in line


def branches(project: Path) -> None:
    """Leave the registry as git does: both branches promoted to production."""
    registry = Registry(project)
    common = registry.path.read_bytes()
    entries = registry.entries()
    sides = []
    for number in (0, 1):
        registry.path.write_bytes(common)
        registry.append("promote", "production", entries[number], f"branch {number}")
        sides.append(registry.path.read_bytes().removeprefix(common))
    conflict = b"<<<<<<< HEAD\n%b=======\n%b>>>>>>> other\n" % tuple(sides)
    registry.path.write_bytes(common + conflict)


def test_merge_then_keep(project: Path, capsys: Out) -> None:
    branches(project)
    assert main(["registry", "history"]) == 2
    assert "line 5: two branches both changed the registry" in capsys.readouterr().err
    assert main(["registry", "merge"]) == 1
    joined, undecided = capsys.readouterr().out.splitlines()
    assert joined == "joined 2 branches; all their entries are kept"
    assert undecided == (
        f"production is undecided: the branches moved it to run:{OLDER} and run:{NEWER}. "
        f'It stays at run:{OLDER} until: tunegate registry merge --keep RUN --why "..."'
    )
    assert main(["registry", "history"]) == 0
    *_, last, note = capsys.readouterr().out.splitlines()
    assert "merge     2 branches" in last
    assert note.startswith("production is undecided: ")
    assert verify(capsys, 0)[-1].startswith("7 entries, 0 wrong; 6 compared")
    assert main(["registry", "merge", "--keep", NEWER[:6], "--why", "more rows"]) == 0
    assert capsys.readouterr().out == f"production is run:{NEWER}\n"
    assert verify(capsys, 0)[-1].startswith("8 entries, 0 wrong; 7 compared")
    assert main(["registry", "merge"]) == 0
    assert capsys.readouterr().out == "nothing to join: one version holds all entries\n"
    edit_last(project, scorecard="0" * 64)
    assert "scorecard: not as in the promotion" in verify(capsys, 1)[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["one"], "give no file, or OURS THEIRS [BASE [PATH]]"),
        (["one", "two"], "no file one"),
        (["--keep", OLDER], '--keep needs a reason: --why "..."'),
        (["--keep", "", "--why", "x"], "no undecided alias has ''; undecided: none"),
        (["--alias", "production"], "--alias needs --keep RUN"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_mistake_is_one_line(capsys: Out, words: list[str], said: str) -> None:
    assert main(["registry", "merge", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"tunegate registry merge: {said}\n")
