"""The flat view of rows, and the pandera schema of it: every fault at once, by row and column."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tunegate import ConfigError, Dataset
from tunegate.config.schema import load
from tunegate.data import row_schema
from tunegate.data.row_schema import RowSchema, flat_names, flat_row, load_row_schema
from tunegate.utils.optional_deps import MissingDependency

pytest.importorskip("pandera")

SCHEMA = """\
from __future__ import annotations
from typing import Optional
import pandera.pandas as pa
from pandera.typing import Series

class Row(pa.DataFrameModel):
    prompt: Series[str] = pa.Field(str_length={"min_value": 3})
    n: Series[int] = pa.Field(ge=2, nullable=True)
    source: Optional[Series[str]]
    total: Series[float] = pa.Field(alias="reply.total", ge=0)
    any: Series[object] = pa.Field(nullable=True)

    @pa.check("prompt", element_wise=True)
    def polite(cls, text: str) -> bool:
        return text != "now"
"""


@pytest.fixture(autouse=True)
def no_module_is_left() -> Iterator[None]:
    yield
    sys.modules.pop(row_schema.MODULE_NAME, None)


def row(prompt: str, reply: str, **fields: Any) -> dict[str, Any]:
    told = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
    return {"messages": told, **fields}


GOOD = row("good", '{"total": 1}', n=3, any=1)
FAULTY = Dataset.of([
    GOOD,
    row("now", '{"total": "x"}', n=1, any=[1]),
    row("good", '{"total": -1}', n="7", source=3),
    row("hi", "no JSON", n=True, any="a"),
])  # fmt: skip


def loaded(folder: Path, text: str, rows: Dataset = FAULTY, name: str = "Row") -> RowSchema:
    (folder / "schema.py").write_text(text, "utf-8")
    return load_row_schema(f"schema.py:{name}", folder, rows)


def told(schema: RowSchema, rows: Dataset = FAULTY) -> list[tuple[int | None, str, str]]:
    found = schema.faults(rows)
    return sorted(((e and e.line, column, fault) for e, column, fault in found), key=repr)


def test_the_flat_view() -> None:
    fields = row("Hi", '<think>a</think>{"a": {"b": 1, "c": {}}, "d": [2]}', turns=9, id="x")
    fields["messages"].insert(0, {"role": "system", "content": "Be brief."})
    (example,) = Dataset.of([fields])
    assert flat_row(example) == {
        "line": 1, "system": "Be brief.", "prompt": "Hi", "reply": example.reply,
        "label": example.label, "turns": 9, "id": "x",
        "reply.a.b": 1, "reply.a.c": {}, "reply.d": [2],
    }  # fmt: skip
    rows = Dataset.of([fields, GOOD])
    assert [*rows.frame] == flat_names(map(flat_row, rows))
    assert rows.frame["n"].isna().tolist() == [True, False]


def test_a_field_of_the_row_stands_before_what_is_derived() -> None:
    own = {"turns": 9, "reply.a": 8, "label": 7}
    (example,) = Dataset.of([row("Hi", '{"a": 1}', **own)])
    flat = flat_row(example)
    assert (flat["turns"], flat["reply.a"], flat["label"]) == (9, 8, example.label)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("validation_enabled", False), ("validation_depth", "SCHEMA_ONLY")],
)
def test_the_configuration_of_pandera_switches_nothing_off(
    variable: str, value: Any, tmp_path: Path
) -> None:
    from pandera.config import ValidationDepth, config_context

    schema = loaded(tmp_path, SCHEMA)
    whole = told(schema)
    settings = {variable: ValidationDepth(value) if value else value}
    with config_context(**settings):  # as the environment sets them at the import
        assert told(schema) == whole


def test_the_backend_that_loses_faults_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pandera.config import CONFIG

    schema = loaded(tmp_path, SCHEMA)
    monkeypatch.setattr(CONFIG, "use_narwhals_backend", True, raising=False)
    with pytest.raises(ConfigError, match="unset PANDERA_USE_NARWHALS_BACKEND"):
        told(schema)


@pytest.mark.parametrize(
    "text",
    [
        SCHEMA.replace("ge=2", "ge=2, raise_warning=True"),
        SCHEMA.replace("element_wise=True", "element_wise=True, raise_warning=True"),
        SCHEMA + "\n    class Config:\n        drop_invalid_rows = True\n",
    ],
)
def test_a_schema_that_lets_faults_pass_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^data\.schema = 'schema\.py:Row': leave out drop_inv"):
        loaded(tmp_path, text)


def test_private_values_are_masked_whole_before_they_are_cut(tmp_path: Path) -> None:
    text = SCHEMA[: SCHEMA.index("    n:")].replace('{"min_value": 3}', '{"max_value": 3}')
    for start in range(35, 60):
        filled = "x" * start + "\n529.982.247-25 and more"
        schema = loaded(tmp_path, text, rows := Dataset.of([row(filled, "Hi")]))
        ((_, _, fault),) = told(schema, rows)
        assert "529" not in fault, start


def test_every_fault_is_told_by_row_and_column(tmp_path: Path) -> None:
    schema = loaded(tmp_path, SCHEMA)
    assert schema.by_row
    assert told(schema) == [
        (2, "n", "1: greater_than_or_equal_to(2)"),
        (2, "prompt", "'now': polite"),
        (2, "reply.total", "'x': no float"),
        (3, "n", "'7': no int"),
        (3, "reply.total", "-1: greater_than_or_equal_to(0)"),
        (3, "source", "3: no str"),
        (4, "n", "True: no int"),
        (4, "prompt", "'hi': str_length(3, None)"),
        (4, "reply.total", "None: missing"),
    ]


def test_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = loaded(tmp_path, SCHEMA)
    whole = told(schema)
    for size in (1, 3):
        monkeypatch.setattr(row_schema, "CHUNK_ROWS", size)
        assert told(schema) == whole


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ('@pa.dataframe_check\n    def calm(cls, f): return f["prompt"] != "now"',
         (2, "whole row", "'now': calm")),
        ('@pa.check("prompt")\n    def many(cls, s): return s.nunique() > 3',
         (None, "prompt", "False: many")),
        ('same: Series[str] = pa.Field(alias="prompt", unique=True)',
         (3, "prompt", "'good': field_uniqueness")),
        ('class Config:\n        unique = ["prompt", "turns"]',
         (3, "whole row", "'good': multiple_fields_uniqueness")),
    ],
)  # fmt: skip
def test_a_rule_on_several_rows_sees_them_all(
    rule: str, fault: tuple[int, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_schema, "CHUNK_ROWS", 1)
    schema = loaded(tmp_path, f"{SCHEMA}\n    {rule}\n")
    assert not schema.by_row
    assert told(schema).count(fault) == 1


def test_patterns_and_fields_that_the_schema_does_not_know(tmp_path: Path) -> None:
    fields = 'r: Series[int] = pa.Field(alias=r"reply\\..*", regex=True, lt=5)'
    strict = "class Config:\n        strict = True"
    text = SCHEMA[: SCHEMA.index("    prompt")]
    schema = loaded(tmp_path, f"{text}    {fields}\n    {strict}\n")
    rows = Dataset.of([row("Hi", '{"a": 7, "b": 1.5}'), row("Hi", '{"a": 1, "b": 2}', extra=0)])
    assert told(schema, rows) == [
        (1, "reply.a", "7: less_than(5)"),
        (1, "reply.b", "1.5: no int"),
        (2, "extra", "0: not in the schema"),
    ]


def test_a_required_pattern_needs_one_row_with_such_a_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_schema, "CHUNK_ROWS", 1)
    text = SCHEMA[: SCHEMA.index("    prompt")]
    field = 'x: Series[int] = pa.Field(alias="x_.*", regex=True, nullable=True)'
    rows = Dataset.of([row("Hi", "a", x_1=1), row("Ho", "b"), row("Hu", "c")])
    assert told(loaded(tmp_path, f"{text}    {field}\n", rows), rows) == []


def test_without_a_row_that_could_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'schema\.py:Row': no row of the data could be read$"):
        loaded(tmp_path, SCHEMA, Dataset.of([]))


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (SCHEMA, "Rov", "Rov is no DataFrameModel of pandera, did you mean 'Row'?; schema.py has "),
        ("class Row: pass", "Row", "Row is no DataFrameModel of pandera; schema.py has none"),
        (SCHEMA.replace("n: Ser", "m: Ser"), "Row", "no row has a column 'm'; valid: line, system"),
        (SCHEMA.replace("source:", "sourse:"), "Row", ""),  # optional
        (SCHEMA + "1 / 0", "Row", "cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "Row", "cannot be imported: SystemExit: 3"),
        (SCHEMA.replace("ge=2", "gee=2"), "Row", "cannot be imported: SchemaInitError: custom "),
        (SCHEMA.replace("Series[int]", "Serie[int]"), "Row", "cannot be imported: NameError: name"),
    ],
)
def test_a_wrong_schema_is_one_line(text: str, name: str, said: str, tmp_path: Path) -> None:
    if not said:
        loaded(tmp_path, text, name=name)
        return
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text, name=name)
    assert str(error.value).startswith(f"data.schema = 'schema.py:{name}'")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("spec", ["", "s/schema.Row", "x:Row", "s/new.py", "s/n.py:My Row", ".py:"])
def test_a_schema_is_named_by_file_and_class(spec: str, tmp_path: Path) -> None:
    (tmp_path / "tunegate.toml").write_text(f'[data]\nschema = "{spec}"\n')
    with pytest.raises(ConfigError, match=rf"schema = '{spec}': FILE\.py:CLASS is needed"):
        load(tmp_path)


def test_without_pandera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandera.pandas", None)
    with pytest.raises(MissingDependency, match=r"pip install 'tunegate\[pandera\]'"):
        loaded(tmp_path, SCHEMA)
