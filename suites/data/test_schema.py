"""The rows keep the contract of `data.schema`; `tunegate data schema` writes a first one."""

from tunegate import Dataset
from tunegate.data.row_schema import RowSchema
from tunegate_checks.data import schema


def test_schema(dataset: Dataset, row_schema: RowSchema) -> None:
    """All that is wrong at once, by row and column."""
    assert not schema.find(dataset, row_schema)
