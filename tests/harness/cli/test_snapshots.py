"""`tunegate data list`, `show`, `restore` and `diff` on snapshots, here and in the store."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from published import check

from tunegate.cli.main import main
from tunegate.storage.state_dir import StateDir

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]


def digest_of(project: Project, split: str) -> str:
    return sha256((project.root / f"{split}.jsonl").read_bytes()).hexdigest()


def told(capsys: Out, *words: str, code: int = 0) -> Any:
    assert main([*words, "--json"]) == code
    value = json.loads(capsys.readouterr().out)
    check("-".join(words[:2]), value)
    return value


def test_snapshots_are_listed_with_what_read_them(promoted: Project, capsys: Out) -> None:
    listed = told(capsys, "data", "list")["snapshots"]
    by_split = {snapshot["splits"][0]: snapshot for snapshot in listed}
    assert sorted(by_split) == ["test", "train", "validation"]
    for split, n in (("train", 20), ("validation", 6), ("test", 6)):
        one = by_split[split]
        assert (one["digest"], one["rows"]) == (digest_of(promoted, split), n)
        assert (one["runs"], one["aliases"]) == ([promoted.run.name], ["production"])
        assert one["path"].endswith(f"/{split}.jsonl")
        assert one["bytes"] == (promoted.root / f"{split}.jsonl").stat().st_size
        assert (one["place"], one["accepted"]) == ("here", 0)
        assert told(capsys, "data", "show", one["digest"][:7]) == one
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (first,) = [n for n, line in enumerate(lines) if "  train  20 rows  " in line]
    assert lines[first + 1] == f"{'':14}train.jsonl  run:{promoted.run.name}  production"
    assert main(["data", "show", by_split["train"]["digest"]]) == 0
    assert f"runs       {promoted.run.name}" in capsys.readouterr().out.splitlines()


def test_a_project_without_snapshots(
    project: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    assert told(capsys, "data", "list") == {"snapshots": []}
    assert main(["data", "list"]) == 0
    assert capsys.readouterr().out == "no snapshot yet\n"
    assert main(["data", "show", "abc"]) == 2
    said = "tunegate data show: no snapshot 'abc'; snapshots: none yet\n"
    assert capsys.readouterr().err == said


def test_where_a_snapshot_is(promoted: Project, capsys: Out) -> None:
    """Here, in the store alone, or purged: then the receipt still names it."""
    assert main(["run", "pack", "latest"]) == 0
    state, digest = StateDir(promoted.root), digest_of(promoted, "validation")
    state.snapshot_path(digest).unlink()
    capsys.readouterr()
    assert told(capsys, "data", "show", digest[:9])["place"] == "store"
    assert told(capsys, "data", "restore", digest[:9], "-o", "back.jsonl")["digest"] == digest
    assert sha256((promoted.root / "back.jsonl").read_bytes()).hexdigest() == digest
    (state.folder / "store" / "sha256" / digest[:2] / digest).unlink()
    assert told(capsys, "data", "show", digest[:9])["place"] == ""
    assert main(["data", "list"]) == 0
    assert "  validation  6 rows  purged  " in capsys.readouterr().out
    assert main(["data", "restore", digest[:9], "-o", "again.jsonl"]) == 2
    assert "was purged: receipts alone name it" in capsys.readouterr().err


def test_runs_of_other_machines_are_listed_out_of_the_store(
    promoted: Project, capsys: Out, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store = tmp_path_factory.mktemp("store")
    assert main(["run", "pack", "latest", "--store", str(store)]) == 0
    other = promoted.copied(tmp_path_factory.mktemp("other") / "project")
    before = promoted.run.name
    monkeypatch.chdir(other.root)
    shutil.rmtree(other.root / ".tunegate")
    capsys.readouterr()
    listed = told(capsys, "data", "list", "--store", str(store))["snapshots"]
    assert {(s["place"], *s["runs"]) for s in listed} == {("store", before)}
    assert len(listed) == 3


def test_a_snapshot_is_restored_whole_and_over_no_file(promoted: Project, capsys: Out) -> None:
    digest = digest_of(promoted, "train")
    data = (promoted.root / "train.jsonl").read_bytes()
    assert main(["data", "restore", digest[:6], "-o", "train.jsonl"]) == 2
    assert capsys.readouterr().err.endswith("train.jsonl is there: --force replaces it\n")
    (promoted.root / "train.jsonl").write_text("other")
    assert main(["data", "restore", digest[:6], "-o", "train.jsonl", "--force"]) == 0
    assert (promoted.root / "train.jsonl").read_bytes() == data
    snapshot = StateDir(promoted.root).snapshot_path(digest)
    snapshot.chmod(0o600)
    snapshot.write_bytes(data[:-5])
    assert main(["data", "restore", digest[:6], "-o", "deep/new.jsonl"]) == 2
    assert "is damaged: its sha256 is not" in capsys.readouterr().err
    assert not [*(promoted.root / "deep").iterdir()]
    assert main(["data", "restore", "", "-o", "new.jsonl"]) == 2


def test_snapshots_are_compared(promoted: Project, capsys: Out, example_row: Any) -> None:
    first = digest_of(promoted, "train")
    rows = (promoted.root / "train.jsonl").read_text().splitlines(keepends=True)
    promoted.write("train.jsonl", "".join(rows[2:]) + example_row("question 90", "a"))
    assert main(["data", "diff", first[:8]]) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        f"train      1 added, 2 removed, 0 changed, 18 as in {first[:8]}"
    )
    assert promoted.gate().code == 0
    second = digest_of(promoted, "train")
    made = told(capsys, "data", "diff", first[:8], second[:8])
    (split,) = made["splits"]
    assert (split["split"], split["added"], split["removed"], split["same"]) == ("train", 1, 2, 18)
    assert made["other"] == second[:8]
    assert main(["data", "diff", first[:8], digest_of(promoted, "test")[:8]]) == 2
    assert f"{first[:8]} was train, the other test" in capsys.readouterr().err
    assert main(["data", "diff", "feedbeef"]) == 2
    assert "no revision or snapshot 'feedbeef'" in capsys.readouterr().err
