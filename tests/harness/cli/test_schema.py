"""`tunegate data schema` writes a schema that the present data passes, whatever the rows hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunegate import Dataset
from tunegate.cli.main import main
from tunegate.cli.schema import schema_text
from tunegate.data import row_schema
from tunegate.data.row_schema import flat_row, load_row_schema

pytest.importorskip("pandera")

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_module_is_left() -> Iterator[None]:
    yield
    sys.modules.pop(row_schema.MODULE_NAME, None)


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def row(prompt: str, reply: str, **fields: Any) -> dict[str, Any]:
    told = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
    return {"messages": told, **fields}


TRAIN = [
    row(f"ticket {i}", json.dumps({"team": "ab"[i % 2], "total": i / 2}), paid=True)
    for i in range(12)
] + [row("x" * 90, '{"team": "a"}', schema="s", mail="ana@example.com")]


def test_what_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tunegate.toml").write_text('label = "json:team"\n[data]\ntrain = "t.jsonl"\n')
    (tmp_path / "t.jsonl").write_text(lines(TRAIN))
    assert main(["data", "schema"]) == 0
    assert 'schema = "suites/data/schema.py:Row"' in capsys.readouterr().out
    written = tmp_path / "suites/data/schema.py"
    assert (
        written.read_text("utf-8").partition("DataFrameModel):\n")[2]
        == """\
    # 8 to 90 letters; in 13 of 13 rows
    prompt: Series[str] = pa.Field(str_length={'min_value': 1, 'max_value': 200})
    # 13 to 27 letters; in 13 of 13 rows
    reply: Series[str] = pa.Field(str_length={'min_value': 1, 'max_value': 60})
    # 2 values; in 13 of 13 rows
    label: Series[str] = pa.Field(isin=['a', 'b'])
    # 2 to 2; in 13 of 13 rows
    turns: Series[int] = pa.Field(ge=0)
    # true or false; in 12 of 13 rows
    paid: Series[bool] = pa.Field(nullable=True)
    # 2 values; in 13 of 13 rows
    field_reply_team: Series[str] = pa.Field(alias='reply.team', isin=['a', 'b'])
    # 0 to 5.5; in 12 of 13 rows
    field_reply_total: Series[float] = pa.Field(alias='reply.total', ge=0, nullable=True)
    # 1 to 1 letters; in 1 of 13 rows
    schema: Series[str] = pa.Field(str_length={'min_value': 1, 'max_value': 3}, nullable=True)
    # 15 to 15 letters; in 1 of 13 rows
    mail: Series[str] = pa.Field(str_length={'min_value': 1, 'max_value': 40}, nullable=True)
"""
    )
    mine = written.read_text()
    assert main(["data", "schema"]) == 2
    assert "is there, and is not written over" in capsys.readouterr().err
    assert written.read_text() == mine
    written.unlink()
    (tmp_path / "t.jsonl").write_text("")
    assert main(["data", "schema"]) == 2
    assert capsys.readouterr().err.strip().endswith("no rows to describe: set data.train")


def test_without_pandera_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tunegate.toml").write_text('[data]\ntrain = "t.jsonl"\n')
    (tmp_path / "t.jsonl").write_text(lines(TRAIN))
    monkeypatch.setitem(sys.modules, "pandera.pandas", None)
    assert main(["data", "schema"]) == 2
    lines_told = capsys.readouterr().err.splitlines()
    install = "pandera.pandas is not installed: pip install 'tunegate[pandera]'"
    assert lines_told == [f"tunegate data schema: {install}"]
    assert not (tmp_path / "suites").exists()


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=9), st.lists(st.integers(), max_size=2),
)  # fmt: skip
names = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["class", "validate", "Config", "_x", "a b", "reply.total", "prompt", "line", "é"]
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.dictionaries(names, values, max_size=4), min_size=1, max_size=6))
def test_the_rows_pass_it(tmp_path: Path, fields: list[dict[str, Any]]) -> None:
    rows = [{**own, **row("Hi", json.dumps(own))} for own in fields]
    dataset = Dataset.parse(lines(rows).encode())
    flat = list(map(flat_row, dataset))
    (tmp_path / "schema.py").write_text(schema_text(flat, "Row"), "utf-8")
    schema = load_row_schema("schema.py:Row", tmp_path, dataset)
    assert list(schema.faults(dataset)) == []
