"""Data sets of Hugging Face's library are read: objects in memory, and folders on disk."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunegate.config.data_files import DataFiles, find_data_files
from tunegate.config.schema import Config
from tunegate.data import tables
from tunegate.data.dataset import Dataset
from tunegate.data.tables import class_names, name_class
from tunegate.errors import ConfigError

ROWS = [{"text": "Hi", "label": 1}, {"text": "Bye", "label": 0}]
LABELS = {"label": {"names": ["cold", "warm"], "_type": "ClassLabel"}}


class InMemory(list[Any]):
    """What `Dataset.of` sees of a `datasets.Dataset`."""

    def __init__(self, rows: Sequence[Any] = ()) -> None:
        super().__init__(rows)
        label = SimpleNamespace(names=["a", "b"])
        self.features = {"text": SimpleNamespace(dtype="string"), "label": label}


def save(folder: Path, rows: list[dict[str, Any]], features: dict[str, Any]) -> None:
    """Write what `save_to_disk` writes: Arrow's streaming format in two files, and two of JSON."""
    arrow = pytest.importorskip("pyarrow")
    folder.mkdir(parents=True)
    names = [f"data-0000{i}-of-00002.arrow" for i in range(2)]
    for name, part in zip(names, (rows[:1], rows[1:]), strict=True):
        table = arrow.Table.from_pylist(part)
        with arrow.ipc.new_stream(folder / name, table.schema) as stream:
            stream.write_table(table)
    state = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


def test_a_data_set_in_memory_is_read_with_the_names_of_its_classes() -> None:
    dataset = Dataset.of(InMemory(ROWS), "train")
    assert [(e.prompt, e.reply) for e in dataset] == [("Hi", "b"), ("Bye", "a")]
    assert dataset.split == "train"
    several = InMemory([{"text": "Hi", "labels": [1, 0]}])
    several.features = {"labels": SimpleNamespace(feature=SimpleNamespace(names=["a", "b"]))}
    assert Dataset.of(several)[0].reply == "b, a"
    unlabelled = InMemory([{"text": "Hi", "label": -1}])
    assert "label is a number" in Dataset.of(unlabelled).problems[0].evidence


def test_dates_bytes_and_arrays_become_json_and_a_picture_is_refused() -> None:
    numpy = pytest.importorskip("numpy")
    chat = [{"role": "user", "content": "Hi"}]
    day, data = datetime.date(2026, 1, 2), b"\x89PNG"
    row = {"messages": chat, "day": day, "image": data, "scores": numpy.array([1, 2])}
    (one,) = Dataset.of([row])
    assert one.fields == {
        "messages": chat, "day": "2026-01-02", "image": "data:;base64,iVBORw==", "scores": [1, 2]
    }  # fmt: skip
    with pytest.raises(ValueError, match="a row holds object, which JSON lacks; leave the column"):
        Dataset.of([{"messages": chat, "image": object()}])
    with pytest.raises(ValueError, match=r"several splits \(train, test\); give one"):
        Dataset.of({"train": InMemory(), "test": InMemory()})  # type: ignore[arg-type]


def test_a_saved_folder_is_read_as_json_lines(tmp_path: Path) -> None:
    save(tmp_path / "d", ROWS, LABELS)
    dataset = Dataset.read(tmp_path / "d")
    assert [(e.prompt, e.reply) for e in dataset] == [("Hi", "warm"), ("Bye", "cold")]
    same = Dataset.parse(b'{"text": "Hi", "label": "warm"}\n{"text": "Bye", "label": "cold"}')
    assert dataset.digest == same.digest


def test_of_a_folder_of_splits_the_split_is_read(tmp_path: Path) -> None:
    for name, rows in (("train", ROWS), ("val", ROWS[::-1])):
        save(tmp_path / "d" / name, rows, LABELS)
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "val"]}')
    assert Dataset.read(tmp_path / "d", "validation")[0].prompt == "Bye"
    with pytest.raises(ConfigError, match="has the splits train, val; test was asked for"):
        Dataset.read(tmp_path / "d", "test")
    files = found(tmp_path, 'train = "d"\nvalidation = "d"\n')
    assert [files.get(split)[0].prompt for split in ("train", "validation")] == ["Hi", "Bye"]
    assert files.current_digests() == {s: files.get(s).digest for s in ("train", "validation")}


def found(root: Path, settings: str) -> DataFiles:
    import tomllib

    config = Config.model_validate({"data": tomllib.loads(settings)})
    return find_data_files(config, root, {}, root)


def test_a_folder_that_is_no_data_set_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="is no folder that save_to_disk wrote: "):
        Dataset.read(tmp_path)
    with pytest.raises(ConfigError, match="is not a file; it was named by data"):
        found(tmp_path, 'train = "."')
    save(tmp_path / "d", ROWS, LABELS)

    def absent(*_: str) -> None:
        raise ImportError("pyarrow is not installed: pip install 'tunegate[parquet]'")

    monkeypatch.setattr(tables, "require", absent)
    with pytest.raises(ConfigError, match="holds Arrow files: pyarrow is not installed"):
        Dataset.read(tmp_path / "d")


def test_one_object_of_splits_serves_all_of_them(tmp_path: Path) -> None:
    splits = {"train": [["Hi", "a"], ["Ho", "b"]], "dev": [["Bye", "a"]], "about": {"data": []}}
    (tmp_path / "all.json").write_text(json.dumps(splits, indent=1))
    files = found(tmp_path, 'train = "all.json"\nvalidation = "all.json"\n')
    train, validation = files.get("train"), files.get("validation")
    assert [e.text for e in train] == ["Hi\na", "Ho\nb"]
    assert [(e.text, e.line) for e in validation] == [("Bye\na", 13)]
    assert train.digest != validation.digest
    assert files.current_digests()["validation"] == validation.digest
    columns = '[data.columns]\nprompt = "label"\nreply = "text"\n'
    (tmp_path / "all.json").write_text('{"test": [{"text": "Hi", "label": "a"}]}')
    (row,) = found(tmp_path, f'test = "all.json"\n{columns.replace("data.", "")}').get("test")
    assert row.text == "a\nHi"
    (tmp_path / "all.json").write_text(json.dumps(splits))
    unnamed = Dataset.read(tmp_path / "all.json")
    assert "one object of splits (train, dev)" in unnamed.problems[0].evidence


@pytest.mark.parametrize(
    ("beside", "rows", "unread"),
    [
        ("oos_train", [["x", "oos"]], True),
        ("train-hard", [{"text": "x", "label": "a"}], True),
        ("oos_val", [["x", "oos"]], False),  # of another split
        ("train_labels", ["a", "oos"], False),  # no rows
        ("constrained", [["x", "a"]], False),
        ("oos_train", [], False),
    ],
)
def test_more_rows_of_a_split_are_not_left_out_in_silence(
    tmp_path: Path, beside: str, rows: list[Any], unread: bool
) -> None:
    train = [["Hi", "a"], ["Ho", "b"]]
    (tmp_path / "all.json").write_text(json.dumps({beside: rows, "train": train, "val": train}))
    dataset = found(tmp_path, 'train = "all.json"\nvalidation = "all.json"\n').get("train")
    told = [problem.evidence for problem in dataset.problems if not problem.hint]
    command = f"""jq -c '."{beside}"[], ."train"[]' FILE > train.jsonl"""
    assert len(dataset) == 2
    assert [command in evidence for evidence in told] == [True] * unread


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"data": [["Hi", "a"]]}', 1),
        ('{"version": 1, "data": [["Hi", "a"], ["Ho", "a"]]}', 2),
        ('{"text": "about data", "label": "train"}', 1),
        ('{"text": "a", "label": "b", "data": [1]}\n{"text": "a", "label": "b", "data": [1]}', 2),
        ('{"train": [["Hi", "a"]], "test"', 0),
        ('{"train": [["Hi", "a"]]} x', 0),
    ],
)
def test_only_a_whole_object_of_arrays_is_one_of_splits(text: str, rows: int) -> None:
    dataset = Dataset.parse(text.encode(), "train")
    assert len(dataset) == rows
    assert bool(rows) != any(not problem.hint for problem in dataset.problems)


@pytest.mark.parametrize(
    "form",
    [
        {"feature": {"names": ["a", "b"], "_type": "ClassLabel"}, "_type": "Sequence"},
        [{"names": ["a", "b"], "_type": "ClassLabel"}],
    ],
)
def test_the_classes_of_a_list_are_named(form: Any) -> None:
    names = class_names({"labels": form, "text": {"dtype": "string", "_type": "Value"}})
    assert names == {"labels": ("a", "b")}
    assert name_class([1, 0, 2], names["labels"]) == ["b", "a", 2]
