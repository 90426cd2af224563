"""CSV and Parquet come out as chat rows; a record that cannot be read is set aside."""

import json
from datetime import date
from pathlib import Path

import pytest

from tunegate_checks.fix.changes import read_source

COLUMNS = {"prompt": "text", "reply": "team"}


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'text;team;n\n"one\nmore";billing;1\nbroken;row\ntwo;returns;2\n\xff;x;3\n')
    source = read_source(path, COLUMNS)
    assert [json.loads(r.raw) for r in source.rows] == [r.fields for r in source.rows]
    assert [r.fields["messages"][0]["content"] for r in source.rows] == ["one\nmore", "two"]
    assert [a.line for a in source.rejected] == [4, 6]
    assert len(source.rows) + len(source.rejected) == 4


def test_parquet(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "t.parquet"
    table = {"text": ["one", None, "é"], "team": ["a", "b", "c"], "day": [date(2026, 1, 2)] * 3}
    table |= {"inf": [1.0, 2.0, float("inf")], "list": [[1], [2], [3]]}
    pandas.DataFrame(table).to_parquet(path)
    source = read_source(path, COLUMNS)
    (row,) = source.rows
    assert json.loads(row.raw) == row.fields
    assert {k: row.fields[k] for k in ("day", "inf", "list")} == {
        "day": "2026-01-02",
        "inf": 1.0,
        "list": [1],
    }
    assert [(a.line, a.reason.partition(";")[0]) for a in source.rejected] == [
        (2, "text is null"),
        (3, "a field holds NaN or an infinity, which JSON lacks"),
    ]
