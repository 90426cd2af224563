"""The files of a session: found, read once, digested."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tunegate.config import Config
from tunegate.project import ConfigError
from tunegate.splits import Splits, locate

CONFIG = Config.model_validate({"data": {"train": "train.jsonl", "test": "test.jsonl"}})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("train.jsonl", "test.jsonl", "here/mine.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"messages": []}\n')
    return tmp_path


def test_configured_from_the_root_given_from_here(root: Path) -> None:
    found = locate(CONFIG, root, {"train": "mine.jsonl"}, root / "here")
    assert found.paths == {"train": root / "here/mine.jsonl", "test": root / "test.jsonl"}


def test_missing_files_say_who_named_them(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.jsonl is not a file; it was named by --test-data"):
        locate(CONFIG, root, {"test": "no.jsonl"}, root)
    (root / "train.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"it was named by data\.train in "):
        locate(CONFIG, root, {}, root)


def test_each_file_is_read_once(root: Path) -> None:
    splits = locate(CONFIG, root, {}, root)
    assert splits.read_digests() == {}
    first = splits.get("train")
    (root / "train.jsonl").write_bytes(b"changed")
    assert splits.get("train") is first
    assert splits.read_digests() == {"train": first.digest}
    assert splits.digests()["train"] == hashlib.sha256(b"changed").hexdigest()


def test_what_is_gone_has_no_digest(root: Path) -> None:
    splits = locate(CONFIG, root, {}, root)
    (root / "test.jsonl").unlink()
    assert splits.digests()["test"] == ""


def test_a_split_that_nobody_named() -> None:
    with pytest.raises(ConfigError, match=r"no validation data: set data\.validation, or give"):
        Splits({}).get("validation")
