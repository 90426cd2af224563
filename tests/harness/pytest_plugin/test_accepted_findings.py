"""Accepting from end to end: what a session shows, what the gate lets pass, what is kept of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.checking.accepted import read_accepted
from tunegate.cli.main import main

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]
ACTIONS = {"GITHUB_ACTIONS": "true"}
WHY = "looked at it, it is right"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the state of a session is kept, for the next test to begin with."""
    return tmp_path_factory.mktemp("kept") / ".tunegate"


@pytest.fixture
def dirty(project: Project, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with two bad rows, which a session has found; we stand in it."""
    project.add("train.jsonl", row("a bad thing") + row("bad too"))
    monkeypatch.chdir(project.root)
    state = project.root / ".tunegate"
    if not kept.exists():
        assert project.pytest("suites/data").code == 1
        shutil.copytree(state, kept)
    else:
        shutil.copytree(kept, state)
    return project


def row(prompt: str) -> str:
    told = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "a"}]
    return json.dumps({"messages": told}) + "\n"


def accept(capsys: Out, *args: str) -> str:
    """Run the command; return what it printed, an error after its name."""
    code = main(["accept", *args])
    out, err = capsys.readouterr()
    assert (code, out == "") in [(0, False), (2, True)]
    return out + err


def ids(project: Project) -> list[str]:
    kept = json.loads((project.root / ".tunegate" / "findings.json").read_text())
    return [found["id"] for found in kept["found"]]


def receipt(project: Project) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((project.run / "receipt.json").read_text())
    return read


def test_an_accepted_finding_opens_the_gate_and_a_new_one_closes_it(
    dirty: Project, capsys: Out
) -> None:
    first, second = ids(dirty)
    told = accept(capsys, first, "--why", WHY)
    assert told.startswith(f"accepted {first}  test_it bad, train, line 21: a bad thing\n")
    printed = dirty.pytest("suites/data").out
    assert "<test_it: 1 bad in 1 of 22 examples of train; 1 accepted>" in printed
    accept(capsys, second, "--why", WHY)
    result = dirty.gate()
    assert result.code == 0, result.out
    assert "2 findings were accepted in accepted.toml; -v lists them" in result.out
    left = receipt(dirty)
    assert [(a["id"], a["why"], a["evidence"]) for a in left["accepted"]] == [
        (first, WHY, "a bad thing"),
        (second, WHY, "bad too"),
    ]
    assert "accepted.toml" in left["suite"]["files"]
    (judged,) = left["tests"]["suites/data/test_it.py::test_rows[train]"]
    assert judged["accepted"] == [first, second]
    dirty.add("train.jsonl", row("bad again"))
    result = dirty.pytest("suites/data", "-v")
    assert result.code == 1
    assert "1 bad in 1 of 23 examples of train; 2 accepted" in result.out
    assert f"{first}  test_it bad, train, line 21\n{'':14}{WHY} (" in result.out


def test_github_shows_findings_beside_their_rows(dirty: Project, capsys: Out) -> None:
    accept(capsys, ids(dirty)[1], "--why", WHY)
    dirty.add("train.jsonl", row("bad 50% call 415-555-2671\nx"))
    top = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(dirty.root.parent)}
    out = dirty.pytest("suites/data", env=top).out
    place = f"file={dirty.root.name}/train.jsonl,line="
    shown = [line for line in out.splitlines() if line.startswith("::")]
    assert shown == [
        f"::error {place}21,title=test_it%3A bad::a bad thing",
        f"::error {place}23,title=test_it%3A bad::bad 50%25 call ***-***-**71%0Ax",
    ]
    assert "::error" not in dirty.pytest("suites/data").out
    assert "::error file=train.jsonl,line=21," in dirty.pytest("suites/data", env=ACTIONS).out
    for n in range(12):
        dirty.add("test.jsonl", row(f"bad {n}"))
    shown = dirty.pytest("suites/data", env=top).out.split("\n::")[1:]
    assert [line.startswith("error ") for line in shown] == [*[True] * 10, False]
    assert shown[-1].startswith("notice title=tunegate::4 more findings: see the job's output")


def test_what_is_accepted_of_a_named_check_survives_another_file_name(
    dirty: Project, capsys: Out
) -> None:
    path = dirty.root / "suites" / "data" / "test_it.py"
    path.write_text(path.read_text().replace("@check\n", '@check(name="prompts")\n'))
    assert dirty.pytest("suites/data").code == 1
    before = ids(dirty)
    assert "hint" not in accept(capsys, *before, "--why", WHY)
    path.rename(path.with_name("test_prompts.py"))
    assert dirty.pytest("suites/data").code == 0
    assert ids(dirty) == before


def test_a_hint_names_the_name_that_keeps_the_ids_of_a_check_without_one(
    dirty: Project, capsys: Out
) -> None:
    told = accept(capsys, *ids(dirty), "--why", WHY).splitlines()
    assert told[2:] == [
        "hint     test_it has no name: its ids change with its file's name",
        '         @check(name="test_it") keeps them when the file is renamed',
        "next     commit accepted.toml, and run the suite again",
    ]
    path = dirty.root / "suites" / "data" / "test_it.py"
    moved = path.rename(path.with_name("test_prompts.py"))
    assert "<test_prompts: 2 bad in 2 of 22 examples of train>" in dirty.pytest("suites/data").out
    moved.write_text(moved.read_text().replace("@check\n", '@check(name="test_it")\n'))
    result = dirty.pytest("suites/data")
    assert result.code == 0
    assert "has no name" not in result.out


@pytest.mark.slow
def test_two_workers_accept_too(dirty: Project, capsys: Out) -> None:
    before = ids(dirty)
    accept(capsys, *before, "--why", WHY)
    result = dirty.gate("-n", "2")
    assert result.code == 0, result.out
    assert {a["id"] for a in receipt(dirty)["accepted"]} == set(before)
    assert set(ids(dirty)) == set(before)


def test_a_file_that_is_edited_meanwhile_closes_the_gate(dirty: Project, capsys: Out) -> None:
    accept(capsys, *ids(dirty), "--why", WHY)
    meddle = "def test_z():\n    open('accepted.toml', 'a').write('# more')\n"
    dirty.add("suites/data/test_it.py", meddle)
    result = dirty.gate()
    assert "configuration changed while it ran" in result.line("gate")


def test_rows_may_move_but_an_edited_row_counts_again(dirty: Project, capsys: Out) -> None:
    accept(capsys, *ids(dirty), "--why", WHY)
    path = dirty.root / "train.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[::-1]))
    assert dirty.pytest("suites/data").code == 0
    assert "stale" not in accept(capsys)
    path.write_text("".join(lines).replace("bad too", "bad, too"))
    assert dirty.pytest("suites/data").code == 1
    listed = accept(capsys)
    assert listed.count("stale: not found any more") == 1
    assert "1 stale, which accept nothing: `tunegate accept --prune` drops them" in listed


def test_the_list(dirty: Project, capsys: Out) -> None:
    assert "nothing is accepted; `tunegate data findings` shows" in accept(capsys)
    first, _ = ids(dirty)
    accept(capsys, first, "--why", WHY)
    other = "from tunegate import check\n@check\ndef find(dataset): yield from ()\n"
    dirty.write("suites/data/test_other.py", other + "def test_x(train): assert not find(train)\n")
    dirty.pytest("suites/data/test_other.py")
    listed = accept(capsys)
    assert re.search(rf"^{first}  test_it bad, train, line 21: a bad thing\n +{WHY} \(", listed)
    assert "not looked for in the last session" in listed
    assert max(map(len, listed.splitlines())) <= 80


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["{id}"], 'a reason is needed: tunegate accept ID --why "..."'),
        (["{id}", "--why", "  "], "a reason is needed"),
        (["{near}", "--why", "x"], "nothing of this id, did you mean '{id}'?"),
        (["{id}", "{near}", "--why", "x"], "`tunegate data findings` shows what there is"),
        (["--why", "x"], "which finding? give its id"),
        (["--check", "test_it", "--all"], 'a reason is needed: tunegate accept ID --why "..."'),
        (["--check", "test_it", "--why", "x"], "a check: --check NAME --all, or of one --kind"),
        (["--all", "--why", "x"], "a check: --check NAME --all, or of one --kind"),
        (["{id}", "--check", "a", "--all", "--why", "x"], "ids, or --check NAME --all: not both"),
        (
            ["--check", "testit", "--all", "--why", "x"],
            "no findings of a check 'testit', did you mean 'test_it'? the last session has: "
            "test_it (2)",
        ),
        (
            ["--check", "test_it", "--kind", "good", "--all", "--why", "x"],
            "no findings of test_it of a kind 'good'; there are: bad (2)",
        ),
        (["--prune", "--why", "x"], "--prune goes alone: it drops entries, and accepts nothing"),
    ],
)
def test_mistakes(dirty: Project, capsys: Out, args: list[str], told: str) -> None:
    first, _ = ids(dirty)
    words = {"id": first, "near": first[:-1] + ("0" if first[-1] != "0" else "1")}
    printed = accept(capsys, *(a.format(**words) for a in args))
    assert printed.startswith("tunegate accept: ")
    assert len(printed.splitlines()) == 1
    assert told.format(**words) in printed
    assert not (dirty.root / "accepted.toml").exists()


def test_without_a_session_there_is_nothing_to_accept(
    project: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    told = accept(capsys, "0123456789ab", "--why", "x")
    assert "no findings of a session are kept here: run pytest suites/data" in told


def test_accepting_twice_changes_nothing(dirty: Project, capsys: Out) -> None:
    first, _ = ids(dirty)
    accept(capsys, first, "--why", WHY)
    before = (dirty.root / "accepted.toml").read_bytes()
    assert "was accepted before" in accept(capsys, first, "--why", "another reason")
    assert (dirty.root / "accepted.toml").read_bytes() == before


def test_what_stands_today_is_accepted_and_only_new_findings_close_the_gate(
    dirty: Project, capsys: Out
) -> None:
    told = accept(capsys, "--check", "test_it", "--kind", "bad", "--all", "--why", WHY)
    first, second = ids(dirty)
    assert told.startswith(f"accepted {first}  test_it bad, train, line 21: a bad thing\n")
    assert f"accepted {second}  test_it bad, train, line 22: bad too\n" in told
    assert dirty.pytest("suites/data").code == 0
    dirty.add("train.jsonl", row("bad again"))
    result = dirty.pytest("suites/data")
    assert result.code == 1
    assert "1 bad in 1 of 23 examples of train; 2 accepted" in result.out
    told = accept(capsys, "--check", "test_it", "--all", "--why", "later")
    assert told.count("was accepted before: ") == 2
    assert told.count("accepted ") == 2 + 1
    assert dirty.pytest("suites/data").code == 0


def test_many_are_accepted_in_few_lines(dirty: Project, capsys: Out) -> None:
    dirty.add("train.jsonl", "".join(row(f"bad {n}") for n in range(20)))
    dirty.pytest("suites/data")
    told = accept(capsys, "--check", "test_it", "--all", "--why", WHY).splitlines()
    assert len([line for line in told if line.startswith("accepted ")]) == 11
    assert "accepted 12 more: 12 test_it bad" in told
    assert dirty.pytest("suites/data").code == 0


def test_prune_drops_what_is_gone_and_keeps_what_was_not_looked_for(
    dirty: Project, capsys: Out
) -> None:
    accept(capsys, "--check", "test_it", "--all", "--why", WHY)
    first, second = ids(dirty)
    path = dirty.root / "accepted.toml"
    other = path.read_text().split("\n\n")[1].replace(first, "0" * 12).replace("test_it", "pii")
    path.write_text(path.read_text() + "\n" + other + "\n")
    train = dirty.root / "train.jsonl"
    train.write_text(train.read_text().replace("bad too", "good"))
    told = accept(capsys, "--prune")
    assert "nothing was dropped: the last session looked at other data" in told
    dirty.pytest("suites/data", "-k", "train")
    told = accept(capsys, "--prune")
    assert "nothing was dropped: in the last session 3 of 4 tests did not run; run the" in told
    dirty.pytest("suites/data")
    told = accept(capsys, "--prune")
    assert told == (
        f"dropped {second}  test_it bad, train, line 22: bad too\n"
        f"kept, its check did not run: {'0' * 12}  pii bad, train, line 21: a bad thing\n"
        "1 dropped; kept: 1 that still stand, 1 not looked for\n"
    )
    kept = read_accepted(dirty.root)
    assert [*kept] == [first, "0" * 12]
    assert kept[first].why == WHY
    assert dirty.pytest("suites/data").code == 0


def test_prune_without_a_session_drops_nothing(
    project: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    assert "no session of the data suite is kept here" in accept(capsys, "--prune")


def test_a_broken_file_ends_the_session_at_its_start(dirty: Project) -> None:
    dirty.write("accepted.toml", "[[accepted]]\nid = 'x'\n")
    result = dirty.pytest("suites/data")
    assert result.code == 4
    assert "accepted.toml, line 1: no 'check'" in result.line("ERROR:")


def test_what_cannot_be_read_cannot_be_accepted(project: Project) -> None:
    project.write(
        "suites/data/test_format.py",
        "from tunegate_checks.data import format\n"
        "def test_format(dataset):\n    assert not format.find(dataset, fewest=1)\n",
    )
    project.add("train.jsonl", "{broken\n")
    result = project.pytest("suites/data", "-v")
    assert "     21  json  -             " in result.out
    assert "without an id: cannot be accepted; what is not read is not trained on" in result.out
    assert "known, and right as it is?" not in result.out
    assert ids(project) == []


def test_a_model_suite_accepts_nothing(trained: Project) -> None:
    trained.write(
        "suites/model/test_m.py",
        "from tunegate import Finding, check\n"
        "from tunegate.results.outcome import recordings\n"
        "def test_x(predictions): assert recordings[-1].accepted is None\n",
    )
    assert trained.judge().code == 0
