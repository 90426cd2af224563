"""Hold the rows to the pandera schema that `data.schema` names."""

from collections.abc import Iterator

from tunegate import Dataset, Finding, check
from tunegate.data.row_schema import RowSchema


@check(name="schema")
def find(dataset: Dataset, schema: RowSchema) -> Iterator[Finding]:
    """Yield each value that the schema refuses: line, column, value and rule."""
    for example, column, fault in schema.faults(dataset):
        yield (example.finding if example else Finding.of_dataset)(column, fault)
