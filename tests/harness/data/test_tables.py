"""CSV and Parquet, mapped to messages; every row that is not one is named."""

import csv
import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.config.data_files import read_file
from tunegate.data.dataset import Dataset, rejected_messages, rejected_reply
from tunegate.data.tables import read_table_rows
from tunegate.errors import ConfigError

COLUMNS = {"prompt": "text", "reply": "category"}


def parsed(text: str | bytes, **more: str) -> Dataset:
    data = text.encode() if isinstance(text, str) else text
    return Dataset.parse(data, columns={**COLUMNS, **more})


def problems(dataset: Dataset) -> list[tuple[int | None, str]]:
    return [(p.line, p.evidence) for p in dataset.problems if not p.hint]


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)


@given(
    st.lists(st.tuples(CELL, CELL), max_size=6), st.sampled_from([",", ";", "\t"]), st.booleans()
)
@settings(deadline=None)
def test_csv_is_read_back(cells: list[tuple[str, str]], delimiter: str, bom: bool) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([("text", "category"), *cells])
    dataset = parsed(b"\xef\xbb\xbf" * bom + out.getvalue().encode())
    assert problems(dataset) == []
    assert [(e.messages[0]["content"], e.messages[1]["content"]) for e in dataset] == cells


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_no_bytes_raise(data: bytes) -> None:
    dataset = parsed(b"text,category\n" + data)
    assert dataset.problems[-1].hint or not len(dataset)


def test_rows_have_lines_messages_and_their_other_columns() -> None:
    dataset = parsed('id,text,category\n7,"Hello,\nwhere?",delivery\n\n8,Hi,other\n', key="id")
    assert [e.line for e in dataset] == [2, 5]
    assert (dataset[0].prompt, dataset[0].reply) == ("Hello,\nwhere?", "delivery")
    assert dataset[0].fields["key"] == "7"
    assert dataset.problems[0].evidence == (
        "read as a table: text as prompt, category as reply, id as key"
    )


def test_a_system_column_becomes_the_system_message() -> None:
    dataset = parsed("text,category,rules\nHi,other,Be brief.\n", system="rules")
    assert [m["role"] for m in dataset[0].messages] == ["system", "user", "assistant"]
    assert dataset[0].system == "Be brief."


def test_a_rejected_column_becomes_the_rejected_reply() -> None:
    dataset = parsed("text,category,worse,rejected\nHi,Hello!,What?,kept\n", rejected="worse")
    (other,) = dataset[0].fields["rejected"]
    assert (rejected_reply(dataset[0]), other["content"]) == (other, "What?")
    assert [m["content"] for m in rejected_messages(dataset[0])] == ["Hi", "What?"]
    bare = parsed("text,category,rejected\nHi,Hello!,by Ana\n")
    assert (bare[0].fields["rejected"], rejected_reply(bare[0])) == ("by Ana", None)


@pytest.mark.parametrize(
    ("row", "line", "says"),
    [
        (b"a", 2, "the row has 1 fields, and the header 2"),
        (b"a,b,c", 2, "the row has 3 fields"),
        (b'"a"b,c', 2, "not CSV"),
        (b"\xe7,b", 2, "text is not UTF-8"),
    ],
)
def test_a_bad_row_is_named_and_the_next_is_read(row: bytes, line: int, says: str) -> None:
    dataset = parsed(b"text,category\n" + row + b"\nHi,other\n")
    assert [e.prompt for e in dataset] == ["Hi"]
    ((where, evidence),) = problems(dataset)
    assert where == line
    assert says in evidence


def test_a_quote_left_open_is_named_where_it_opens() -> None:
    dataset = parsed('text,category\nHi,other\n"Hello,other\nBye,other\n')
    assert len(dataset) == 1
    ((where, evidence),) = problems(dataset)
    assert where == 3
    assert "is a quote left open?" in evidence


def test_long_fields_are_read_and_the_limit_of_the_csv_module_is_left_alone() -> None:
    before = csv.field_size_limit()
    assert len(parsed("text,category\n" + "x" * 300_000 + ",other\n")[0].prompt) == 300_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"prompt": "text"}, "columns has no 'reply'"),
        (
            {"prompt": "text", "reply": "label"},
            r"columns\['reply'\] is 'label'; the file has 'text',",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(columns: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Dataset.parse(b"text,category\na,b\n", columns=columns)


def test_the_digest_is_that_of_the_raw_bytes(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"text,category\nHi,other\n")
    dataset = Dataset.read(path, "train", columns=COLUMNS)
    assert dataset.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert repr(dataset).startswith("<train: 1 examples, ")


def parquet_of(columns: dict[str, list[Any]]) -> bytes:
    """Return Parquet as pandas writes it: the index of a frame that was filtered is a column."""
    pytest.importorskip("pyarrow")
    import pandas as pd

    return pd.DataFrame(columns, index=[7, 5, 3]).to_parquet()


def test_parquet_rows_go_the_same_way() -> None:
    categories = ["other", "other", None]
    dataset = parsed(parquet_of({"text": ["Hi", None, "Bye"], "category": categories}))
    assert [(e.line, e.prompt) for e in dataset] == [(1, "Hi")]
    assert [*dataset.frame] == ["line", "system", "prompt", "reply", "label", "turns"]
    assert problems(dataset) == [
        (2, "text is null; a text is needed"),
        (3, "category is null; a text is needed"),
    ]
    dataset = parsed(parquet_of({"text": ["Hi", "Ho", "Bye"], "category": [1, 2, 3]}))
    assert problems(dataset)[0] == (1, "category is a number; a text is needed")


def test_values_of_parquet_are_those_of_json_without_nan() -> None:
    pytest.importorskip("pyarrow")
    columns = {"numbers": [[1, 2], [], [3]], "share": [0.5, float("nan"), 1.0]}
    texts = {"text": ["Hi", "Ho", "Bye"], "category": ["a", "b", "c"]}
    dataset = parsed(parquet_of(texts | columns))
    assert [e.fields["numbers"] for e in dataset] == columns["numbers"]
    assert all(type(n) is int for e in dataset for n in e.fields["numbers"])
    assert [e.fields["share"] for e in dataset] == [0.5, None, 1.0]


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ValueError, match=r"needs pyarrow: pip install 'tunegate\[parquet\]'$"):
        parsed(b"PAR1")


NUMBERED = {"prompt": "1", "reply": "2", "reply_names": '["joy", "fear"]'}


def test_columns_without_a_header_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("I like it, and you, too\t0\tx\nBrr\t0,1\ty\n", "utf-8")
    dataset = read_file(path, NUMBERED)
    assert [(e.line, e.prompt, e.reply, e.fields["3"]) for e in dataset] == [
        (1, "I like it, and you, too", "joy", "x"), (2, "Brr", "joy, fear", "y")
    ]  # fmt: skip
    with pytest.raises(
        ConfigError, match=r'number the columns from 1, .*prompt = "1", reply = "2"'
    ):
        read_file(path, {})
    with pytest.raises(ConfigError, match=r"data.columns.reply = '4': no such column"):
        read_file(path, {"prompt": "1", "reply": "4"})


@pytest.mark.parametrize(
    ("rows", "is_numbered"),
    [
        ("refund me,billing\nno mail,login\npaid twice,billing\n", True),
        ("body,team\nrefund me,billing\nbody,team\n", False),  # two files, one behind the other
        ("body,team,\nrefund me,billing,\n", False),  # a column without a name or a value
        ("body,team\nour,team\n" + "refund me,billing\n" * 199, False),  # a word by chance
    ],
)
def test_a_label_for_a_name_is_no_header(tmp_path: Path, rows: str, is_numbered: bool) -> None:
    path = tmp_path / "x.csv"
    path.write_text(rows, "utf-8")
    with pytest.raises(ConfigError) as told:
        read_file(path, {})
    assert ('prompt = "1", reply = "2"' in str(told.value)) == is_numbered
    assert ('prompt = "body", reply = "team"' in str(told.value)) != is_numbered


def test_two_columns_of_one_name_are_told_and_neither_is_dropped() -> None:
    rows, (problem,) = read_table_rows(b"text,text,label,,\na,b,c,,\n", {})
    assert not rows
    assert problem.evidence == "the header has the column 'text' twice; rename one"


def test_names_that_are_numbers_stay_names() -> None:
    rows, _ = read_table_rows(b"1,2,3\na,b,c\n", {"prompt": "1", "reply": "3"})
    assert [fields["messages"][-1]["content"] for _, fields in rows] == ["c"]


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ('text\tlabel\n"Hi" she said\ta\n', ['"Hi" she said']),
        ('text\tlabel\n"It opens\ta\nand closes"\tb\n', ['"It opens', 'and closes"']),
        ('text\tlabel\n"Hi ""you"""\ta\n', ['Hi "you"']),
        ('text\tlabel\n"over\nlines"\ta\n', ["over\nlines"]),
    ],
)
def test_quotes_of_tsv_are_letters_where_they_close_no_field(text: str, prompts: list[str]) -> None:
    rows, found = read_table_rows(text.encode(), {})
    assert [fields["messages"][0]["content"] for _, fields in rows] == prompts
    assert all(problem.hint for problem in found)
