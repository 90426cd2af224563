"""Draw a reproducible random sample of the rows that people must review."""

import math
from collections.abc import Sequence

from tunegate.checking.decorator import row_fingerprint
from tunegate.data.dataset import Dataset, Example
from tunegate.utils.hashing import sha256_bytes


def is_generated(example: Example) -> bool:
    """Tell whether a row is marked as written by a model: `"generated": true`."""
    value = example.fields.get("generated")
    is_true_text = isinstance(value, str) and value.strip().lower() == "true"  # from a CSV
    return value is True or is_true_text


def population(dataset: Dataset, generated: bool = False) -> list[int]:
    """Return the rows to draw from: all if `generated` or none is marked so, else the marked."""
    generated_rows = [e.row for e in dataset if is_generated(e)]
    return list(range(len(dataset))) if generated or not generated_rows else generated_rows


def draw_order(dataset: Dataset, rows: Sequence[int], seed: int) -> list[int]:
    """Return the rows in a random order that depends on the dataset's digest and the seed alone.

    The first k rows are a simple random sample, the same in each Python and on each machine.
    """
    keys = {row: f"{dataset.digest} {seed} {row}".encode() for row in rows}
    return sorted(rows, key=lambda row: sha256_bytes(keys[row]))


def sample_size(n: int, share: float) -> int:
    """Return the smallest number of rows that is at least a share, 0..1, of n rows."""
    return math.ceil(n * share - 1e-9)


def row_id(example: Example) -> str:
    """Return the id of a row, made of its content; "r" keeps spreadsheets from reading a number."""
    return f"r{row_fingerprint(example)[:12]}"
