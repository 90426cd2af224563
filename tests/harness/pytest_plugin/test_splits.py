"""The files of a session: found, read once, digested."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tunegate.config import data_files
from tunegate.config.data_files import DataFiles, find_data_files, read_system_prompt
from tunegate.config.schema import Config
from tunegate.errors import ConfigError

CONFIG = Config.model_validate({"data": {"train": "train.jsonl", "test": "test.jsonl"}})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("train.jsonl", "test.jsonl", "here/mine.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"messages": []}\n')
    return tmp_path


def test_configured_from_the_root_given_from_here(root: Path) -> None:
    found = find_data_files(CONFIG, root, {"train": "mine.jsonl"}, root / "here")
    assert found.paths == {"train": root / "here/mine.jsonl", "test": root / "test.jsonl"}


def test_missing_files_say_who_named_them(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.jsonl is not a file; it was named by --test-data"):
        find_data_files(CONFIG, root, {"test": "no.jsonl"}, root)
    (root / "train.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"it was named by data\.train in "):
        find_data_files(CONFIG, root, {}, root)


def test_each_file_is_read_once(root: Path) -> None:
    splits = find_data_files(CONFIG, root, {}, root)
    assert splits.read == {}
    first = splits.get("train")
    (root / "train.jsonl").write_bytes(b"changed")
    assert splits.get("train") is first
    assert splits.read == {"train": first}
    assert splits.current_digests()["train"] == hashlib.sha256(b"changed").hexdigest()


def test_what_is_gone_has_no_digest(root: Path) -> None:
    splits = find_data_files(CONFIG, root, {}, root)
    (root / "test.jsonl").unlink()
    assert splits.current_digests()["test"] == ""


def test_a_split_that_nobody_named() -> None:
    with pytest.raises(ConfigError, match=r"no validation data: set data\.validation, or give"):
        DataFiles({}).get("validation")


MAPPED = Config.model_validate(
    {
        "data": {
            "train": "train.csv",
            "test": "test.jsonl",
            "columns": {"prompt": "text", "reply": "category"},
        }
    }
)


def test_tables_are_read_by_their_columns(root: Path) -> None:
    for name in ("train", "validation"):
        (root / f"{name}.csv").write_text("text,category\nhello,a\n")
    given: dict[str, str | None] = {"test": "train.csv", "validation": "validation.csv"}
    splits = find_data_files(MAPPED, root, given, root)
    (example,) = splits.get("validation")
    assert (example.prompt, example.reply, splits.get("validation").split) == (
        "hello",
        "a",
        "validation",
    )


def test_a_table_may_stand_beside_json(root: Path) -> None:
    (root / "train.csv").write_text("text,category\nhello,a\n")
    (root / "test.jsonl").write_text('{"text": "bye", "category": "b"}\n')
    splits = find_data_files(MAPPED, root, {}, root)
    assert [splits.get(name)[0].reply for name in ("train", "test")] == ["a", "b"]


def test_each_file_is_read_once_with_columns_too(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def count(path: Path, split: str) -> bytes:
        read.append(path.name)
        return path.read_bytes()

    monkeypatch.setattr(data_files, "read_saved", count)
    (root / "train.csv").write_text("text,category\nhello,a\n")
    for given in ({}, {"train": "train.jsonl"}):
        splits = find_data_files(MAPPED, root, given, root)
        splits.get("train")
        assert sorted(read) == ["test.jsonl", splits.paths["train"].name]
        read.clear()
    data_files.read_file(root / "train.csv", MAPPED.data.columns)
    assert read == ["train.csv"]


def test_columns_say_nothing_of_json_alone(root: Path) -> None:
    splits = find_data_files(MAPPED, root, {"train": "train.jsonl"}, root)
    assert splits.columns == {}
    assert splits.get("train").columns == {}


def test_a_table_without_its_columns_is_told_before_anything_is_read(root: Path) -> None:
    (root / "train.csv").write_text("question,category\nhello,a\n")
    with pytest.raises(ConfigError, match=r"data\.columns\.prompt = 'text': no such column"):
        find_data_files(MAPPED, root, {"test": "train.csv"}, root)


def test_the_system_prompt_is_the_file_without_the_line_break_at_its_end(root: Path) -> None:
    config = Config.model_validate({"data": {"system": "system.txt"}})
    assert read_system_prompt(CONFIG, root) is None
    for end, kept in {"": "", " ": " ", "\n": "", "\r\n": "", "\n\n": "\n", " \n": " "}.items():
        (root / "system.txt").write_bytes(f" Which team?\r\né{end}".encode())
        assert read_system_prompt(config, root) == f" Which team?\r\né{kept}"
    (root / "system.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"data\.system: .*system\.txt cannot be read: .*utf-8"):
        read_system_prompt(config, root)
    (root / "system.txt").unlink()
    with pytest.raises(ConfigError, match=r"system\.txt cannot be read: .*No such file"):
        read_system_prompt(config, root)
