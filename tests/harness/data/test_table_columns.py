"""CSV and Parquet go through the gate: what was judged is what is trained on, and promoted."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.config.data_files import find_data_files, read_file
from tunegate.config.schema import Config
from tunegate.data.dataset import Dataset
from tunegate.data.json_lines import is_table_data
from tunegate.data.splitting import split_file
from tunegate.data.tables import column_names
from tunegate.errors import ConfigError
from tunegate.storage.state_dir import Run, StateDir, run_id

if TYPE_CHECKING:
    from conftest import Project

COLUMNS = 'columns = { prompt = "text", reply = "category" }\n'
MAPPING = {"prompt": "text", "reply": "category"}
SPLITS = {"train": range(20), "validation": range(20, 26), "test": range(30, 36)}
Write = Callable[[Path, list[dict[str, Any]]], None]


def as_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, list(rows[0]))
    table.writeheader()
    table.writerows(rows)
    path.write_text(out.getvalue(), "utf-8", newline="")


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    pytest.importorskip("pyarrow")
    pd.DataFrame(rows).to_parquet(path, index=False)


def tabled(project: Project, suffix: str, write: Write) -> Project:
    """Make the project's data tables, of the same prompts and replies."""
    lines = ["[data]", *(f'{split} = "{split}.{suffix}"' for split in SPLITS), COLUMNS]
    project.write("tunegate.toml", "\n".join(lines))
    for split, numbers in SPLITS.items():
        (project.root / f"{split}.jsonl").unlink()
        rows = [
            {"id": n, "text": f"question,\n{n}", "category": "ab"[n % 2], "title": f"about {n}"}
            for n in numbers
        ]
        write(project.root / f"{split}.{suffix}", rows)
    return project


@pytest.fixture
def tables(project: Project) -> Project:
    return tabled(project, "csv", as_csv)


@pytest.mark.slow
def test_csv_from_the_gate_to_the_promotion(tables: Project) -> None:
    trained = tables.gate()
    assert trained.code == 0, trained.out
    assert trained.line("baseline") == "0 of 6 answers right (0.0%)"
    data = (tables.root / "train.csv").read_bytes()
    assert (tables.run / "toy.txt").read_bytes() == data
    receipt = json.loads((tables.run / "receipt.json").read_bytes())
    assert receipt["data"]["train"]["digest"] == hashlib.sha256(data).hexdigest()
    assert Run(StateDir(tables.root), tables.run.name).plan.columns == MAPPING

    tables.add(
        "suites/model/test_m.py",
        "\ndef test_trained_on(trained_on):"
        "\n    assert [e.prompt for e in trained_on][:1] == ['question,\\n0']\n",
    )
    text = (tables.root / "test.csv").read_text("utf-8")
    tables.write("seen.csv", text + '0,"Question,  0",a,x\n')
    refused = tables.judge("--promote", "production", "--test-data", "seen.csv")
    assert refused.code == 77
    assert "1 test examples stand in what the model was trained on: test line 14" in refused.out

    judged = tables.judge("--promote", "production")
    assert judged.code == 0, judged.out
    test = hashlib.sha256((tables.root / "test.csv").read_bytes()).hexdigest()
    removed = tables.python("-m", "tunegate", "purge", test[:12])
    assert removed.out.endswith("and 12 answers to its prompts\n")  # 6 of the base, 6 of the model


@pytest.mark.slow
def test_parquet_from_the_gate_to_the_model(project: Project) -> None:
    trained = tabled(project, "parquet", as_parquet).gate()
    assert trained.code == 0, trained.out
    assert trained.line("baseline") == "0 of 6 answers right (0.0%)"


@pytest.mark.slow
def test_another_mapping_of_the_same_bytes_is_another_run(tables: Project) -> None:
    first = tables.gate().line("model")
    text = (tables.root / "tunegate.toml").read_text()
    tables.write("tunegate.toml", text.replace('prompt = "text"', 'prompt = "title"'))
    second = tables.gate()
    assert second.line("model") != first
    # The same bytes, but other questions: the baseline is measured on these too.
    assert len(list((tables.root / ".tunegate" / "baselines").iterdir())) == 2


def test_the_columns_hold_for_files_of_the_command_line(tables: Project) -> None:
    (tables.root / "train.csv").rename(tables.root / "other.csv")
    assert "train.csv is not a file" in tables.pytest("suites/data").out
    assert "4 passed" in tables.pytest("suites/data", "--train-data", "other.csv").out


def test_a_spreadsheet_in_latin1_ends_the_session_in_one_message(tables: Project) -> None:
    text = "text,category\nonde está?,a\nnão sei,b\n"
    (tables.root / "train.csv").write_bytes(text.encode("latin-1"))
    started = tables.gate()
    assert started.code == 4
    assert "train.csv: byte 9 of line 2 (E1) is not UTF-8, nor is 1 more line;" in started.out
    assert started.out.count("iconv -f latin1 -t utf-8 ") == 1
    assert "Traceback" not in started.out


def test_a_run_on_json_keeps_its_id(trained: Project) -> None:
    run = Run(StateDir(trained.root), trained.run.name)
    assert dict(run.plan.columns) == {}
    intent = json.loads((run.folder / "intent.json").read_bytes())
    del intent["columns"]  # as a version before columns wrote it
    (run.folder / "intent.json").write_text(json.dumps(intent))
    again = Run(StateDir(trained.root), trained.run.name)
    again.verify_plan()
    assert run_id(again.plan) == run.id


def told(path: Path, columns: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        read_file(path, columns)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "columns", "says"),
    [
        (b"a;text;b\n", {}, "has the columns a, text, b\nsay which of them is the prompt"),
        (b"id,text,category\n", {}, 'columns = { prompt = "text", reply = "category" }'),
        (b"id,txt,category\n", MAPPING, "data.columns.prompt = 'text': no such column, did you"),
        (b"", MAPPING, "has the columns (none)"),
        (b"\xff\xfei\0d\0", MAPPING, "the file is UTF-16 or UTF-32"),
        (b"PAR1 and no more", MAPPING, "is not Parquet"),
        (b"pergunta;r\xe9plica\n", MAPPING, 'not UTF-8; save it as "CSV UTF-8"'),
    ],
)
def test_a_table_that_does_not_fit_is_named(
    tmp_path: Path, data: bytes, columns: dict[str, str], says: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    message = told(path, columns)
    assert str(path) in message
    assert says in message


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.csv", b"[text],category\n"),
        ("x.CSV", b"{text},category\n"),
        ("x.tsv", b"[text]\tcategory\n"),
        ("x", b"PAR1"),
    ],
)
def test_a_table_is_known_by_its_name_or_first_bytes(
    tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert is_table_data(path.read_bytes(), path)


def test_without_a_mapping_a_file_of_another_name_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"text,category\n")
    assert not is_table_data(path.read_bytes(), path)
    assert is_table_data(path.read_bytes(), path, mapped=True)
    for json_ in (b'{"text,category', b" \n[", b"\xef\xbb\xbf{"):
        path.write_bytes(json_)
        assert not is_table_data(path.read_bytes(), path, mapped=True)


@pytest.mark.parametrize(
    ("text", "columns", "names"),
    [
        (b"\xef\xbb\xbftext,category\n", {}, ["text", "category"]),  # as spreadsheets write it
        (b"a,b;c;d\n", {}, ["a,b", "c", "d"]),
        (b"a,b;c;d\n", {"prompt": "b;c;d"}, ["a", "b;c;d"]),
        (b"a;b;c,d\n", {"prompt": "a", "reply": "d"}, ["a", "b", "c,d"]),
        (b"a|b\n", {}, ["a", "b"]),
        (b'"a,b",c\r\n', {}, ["a,b", "c"]),
    ],
)
def test_the_header_is_read_by_the_delimiter_that_fits(
    tmp_path: Path, text: bytes, columns: dict[str, str], names: list[str]
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text)
    assert column_names(path.read_bytes(), path, columns) == names


def test_of_many_columns_twenty_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",".join(f"c{i}" for i in range(30)) + "\n")
    assert "the columns c0, c1, c2" in told(path, {})
    assert "c18, c19\n" in told(path, {})


def test_columns_serve_json_too(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    mapped = b'\xef\xbb\xbf {"text": "Hi", "category": "a", "id": 7}\n'
    path.write_bytes(
        mapped + b'{"messages": [{"role": "user", "content": "as it is"}]}\n{"a": 1}\n'
    )
    dataset = read_file(path, MAPPING)
    assert [(e.prompt, e.reply) for e in dataset] == [("Hi", "a"), ("as it is", "")]
    assert dataset[0].fields["id"] == 7
    assert dataset.columns == MAPPING
    said = [problem.evidence for problem in dataset.problems]
    assert "the configured columns (prompt = text, reply = category) are not all" in said[0]
    assert (
        said[1]
        == "read as columns: text as prompt, category as reply (1 of 2 rows: the file mixes shapes)"
    )


def test_chat_messages_need_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"messages": []}\n')
    config = Config.model_validate({"data": {"train": "x.jsonl", "columns": MAPPING}})
    assert find_data_files(config, tmp_path, {}, tmp_path).columns == {}
    path.write_bytes(b'{"text": "a", "category": "b"}\n')
    assert find_data_files(config, tmp_path, {}, tmp_path).columns == MAPPING


def test_numbers_of_the_reply_are_named(tmp_path: Path) -> None:
    named = {**MAPPING, "reply_names": ["no", "yes, a lot"]}
    columns = Config.model_validate({"data": {"columns": named}}).data.columns
    assert columns["reply_names"] == '["no", "yes, a lot"]'
    rows = b'{"text": "Hi", "category": 1}\n{"text": "Ho", "category": [0, 1]}\n'
    more = b'{"text": "Ho", "category": 2}\n{"text": "Ho", "category": "other"}'
    dataset = Dataset.parse(rows + more, columns=columns)
    assert [e.reply for e in dataset] == ["yes, a lot", '["no", "yes, a lot"]', "other"]
    assert dataset.problems[0].evidence == "category is 2; 2 names are given, from 0"
    assert read_file_of(tmp_path, b"text,category\nHi,1\n", columns)[0].reply == "yes, a lot"


def read_file_of(folder: Path, data: bytes, columns: dict[str, str]) -> Dataset:
    (folder / "x.csv").write_bytes(data)
    return read_file(folder / "x.csv", columns)


def test_a_field_of_turns_is_mapped_to_messages() -> None:
    row = {"dialogue": [{"role": "user", "content": "Hi", "name": None}], "id": 1}
    dataset = Dataset.of([row])
    assert 'columns = { messages = "dialogue" }' in dataset.problems[0].evidence
    (one,) = Dataset.parse(json.dumps(row).encode(), columns={"messages": "dialogue"})
    assert one.fields == {"messages": [{"role": "user", "content": "Hi"}], "id": 1}
    Config.model_validate({"data": {"columns": {"messages": "dialogue"}}})


def test_a_table_of_a_known_shape_needs_no_columns(tmp_path: Path) -> None:
    table = b"id;question;answer\n7;Hi;Hello\n"
    dataset = read_file_of(tmp_path, table, {})
    assert [(e.prompt, e.reply, e.fields["id"]) for e in dataset] == [("Hi", "Hello", "7")]
    assert dataset.problems[0].evidence.startswith("read as question and answer: ")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_excels_line_names_the_delimiter(tmp_path: Path, mark: bytes) -> None:
    table = mark + b"sep=;\r\ntext;category\r\na,b;c\r\nd;e\r\n"
    dataset = read_file_of(tmp_path, table, MAPPING)
    assert [(e.line, e.prompt, e.reply) for e in dataset] == [(3, "a,b", "c"), (4, "d", "e")]
    assert column_names(table, tmp_path / "x.csv") == ["text", "category"]


def test_parquet_with_messages_and_named_classes_is_read_as_it_is(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    filled = [{**turn, "tool_calls": None} for turn in turns]
    parquet.write_table(arrow.Table.from_pylist([{"messages": filled}]), tmp_path / "m.parquet")
    (one,) = Dataset.read(tmp_path / "m.parquet")
    assert one.messages == turns
    features = {"label": {"names": ["cold", "warm"], "_type": "ClassLabel"}}
    table = arrow.Table.from_pylist([{"text": "Hi", "label": 1}])
    info = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(table.replace_schema_metadata(info), tmp_path / "c.parquet")
    assert read_file(tmp_path / "c.parquet", {})[0].reply == "warm"
    features = {"labels": {"feature": {"names": ["joy", "fear"]}, "_type": "Sequence"}}
    table = arrow.Table.from_pylist([{"text": "Hi", "labels": [1, 0]}])
    info = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(table.replace_schema_metadata(info), tmp_path / "s.parquet")
    assert read_file(tmp_path / "s.parquet", {})[0].reply == "fear, joy"


@pytest.mark.parametrize("text", [b"id;text;category\n", b"text\tcategory\r\n", b'"text",category'])
def test_any_delimiter_will_do(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(text)
    read_file(path, MAPPING)


def test_a_mapping_without_a_reply_is_named_at_the_start(tables: Project) -> None:
    text = (tables.root / "tunegate.toml").read_text()
    tables.write("tunegate.toml", text.replace("reply =", "repply ="))
    started = tables.gate()
    assert started.code == 4
    assert "no column for 'reply'; write under [data]" in started.out


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("prompt,label", '{ prompt = "prompt", reply = "label" }'),
        ("id,words,topic", '{ prompt = "words", reply = "topic" }'),
        ("id,text,label", ""),
    ],
)
def test_split_asks_only_for_columns_that_it_cannot_know(
    header: str, columns: str, tmp_path: Path
) -> None:
    source = tmp_path / "t.csv"
    rows = [",".join(f"{name}{n}" for name in header.split(",")) for n in range(9)]
    source.write_text("\n".join([header, *rows]))
    if not columns:
        split_file(source, tmp_path / "out")
        return
    with pytest.raises(ConfigError, match=r"in tunegate\.toml; write") as refused:
        split_file(source, tmp_path / "out")
    assert str(refused.value).endswith(f"; write under [data]: columns = {columns}")


def test_split_says_how_to_read_a_table(
    tables: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunegate.cli.main import main

    source, out = tables.root / "train.csv", tables.root / "out"
    prompts = [f"{n * 7919} and {n * 104729}" for n in range(1, 21)]  # no two alike
    rows = [{"id": n, "text": p, "category": "a", "title": n} for n, p in enumerate(prompts)]
    as_csv(source, rows)
    split = ["split", str(source), "-o", str(out)]
    (tables.root / "tunegate.toml").write_text("")
    monkeypatch.chdir(tables.root)
    assert main(split) == 2
    message = capsys.readouterr().err
    assert "has the columns id, text, category, title" in message
    line = message.splitlines()[-1].strip().rpartition("write under [data]: ")[2]
    (tables.root / "tunegate.toml").write_text(f"[data]\n{line}\n")
    assert main(split) == 0
    written = [e.prompt for path in out.iterdir() for e in Dataset.read(path, columns=MAPPING)]
    assert sorted(written) == sorted(prompts)
