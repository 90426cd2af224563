"""The check of rows by a schema: a finding for each fault, private values masked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate import Dataset
from tunegate.data.row_schema import load_row_schema
from tunegate_checks.data import schema

pytest.importorskip("pandera")

SCHEMA = """\
import pandera.pandas as pa
from pandera.typing import Series

class Row(pa.DataFrameModel):
    owner: Series[str] = pa.Field(isin=["us"])

    @pa.check("owner")
    def varied(cls, owners): return owners.nunique() > 1
"""


def test_faults_are_findings_with_private_values_masked(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text(SCHEMA)
    told = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    dataset = Dataset.of([{"messages": told, "owner": "ana.souza@correio-exemplo.com.br"}] * 2)
    found = schema.find(dataset, load_row_schema("schema.py:Row", tmp_path, dataset))
    assert [(f.line, f.kind) for f in found] == [(None, "owner"), (1, "owner"), (2, "owner")]
    assert found[0].evidence == "False: varied"
    assert "souza" not in found[1].evidence
    assert "isin(['us'])" in found[1].evidence
