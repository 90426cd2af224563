"""The state tree: private, ignored by git of itself, its snapshots named after their bytes."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tunegate.errors import ConfigError
from tunegate.storage.state_dir import StateDir

if TYPE_CHECKING:
    from conftest import Project

DATA = b'{"messages": []}\n'


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_umask() -> object:
    """Let files be as open as their maker wants: the state tree must not."""
    old = os.umask(0)
    yield
    os.umask(old)


def test_folders_and_files_are_private(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    snapshot = state.store_snapshot(DATA)
    assert state.key
    state.path("runs", "one", "scorecards", "card.json").write_text("")
    folders = [p for p in state.folder.rglob("*") if p.is_dir()]
    assert {mode(p) for p in [state.folder, *folders]} == {0o700}
    assert {mode(p) for p in (snapshot, state.folder / "key", state.folder / ".gitignore")} == {
        0o600
    }


def test_everything_a_session_writes_is_private(trained: Project) -> None:
    trained.judge()
    files = [p for p in (trained.root / ".tunegate").rglob("*") if p.is_file()]
    own = [p for p in files if p.name != "toy.txt" and p.suffix != ".lock"]
    assert {p.name for p in own if mode(p) & 0o077} == set()


def test_git_does_not_see_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    StateDir(tmp_path).store_snapshot(DATA)
    status = ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, check=True, capture_output=True).stdout == b""


def test_a_snapshot_is_kept_once_and_read_back(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    path = state.store_snapshot(DATA)
    before = path.stat().st_mtime_ns
    assert state.store_snapshot(DATA) == path
    assert path.stat().st_mtime_ns == before
    digest = hashlib.sha256(DATA).hexdigest()
    assert (path.stem, path.read_bytes()) == (digest, DATA)
    assert state.read_snapshot(digest, "train").split == "train"


def test_a_changed_snapshot_is_noticed(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    path = state.store_snapshot(DATA)
    path.write_bytes(DATA + b"\n")
    with pytest.raises(ValueError, match=r"was changed: its digest is [0-9a-f]{64}$"):
        state.read_snapshot(path.stem)


def test_the_key_is_made_once(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    assert StateDir(state.root).key == state.key
    assert len(state.key) == 32


def test_asking_for_nothing_makes_nothing(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    assert (state.runs.name, state.snapshot_path("x").name) == ("runs", "x.jsonl")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("link", "said"), [("nowhere", "links to no folder"), ("", "is a file")])
def test_a_state_tree_that_is_no_folder(tmp_path: Path, link: str, said: str) -> None:
    state = StateDir(tmp_path)
    state.check()
    if link:
        state.folder.symlink_to(link)
    else:
        state.folder.write_text("")
    with pytest.raises(ConfigError, match=said):
        state.check()


def test_a_state_tree_on_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    state = StateDir(tmp_path)
    state.folder.symlink_to("disk")
    state.check()
    snapshot = state.store_snapshot(DATA)
    assert (tmp_path / "disk/snapshots" / snapshot.name).read_bytes() == DATA
