"""Which rows are to be reviewed, and which of them: drawn at random, and drawn again to verify."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from tunegate.checking.fingerprint import row_fingerprint
from tunegate.data.dataset import Dataset, Example


def is_generated(example: Example) -> bool:
    """Say whether a row tells of itself that a model wrote it: `"generated": true`."""
    value = example.fields.get("generated")
    return value is True or (
        isinstance(value, str) and value.strip().lower() == "true"
    )  # from a CSV


def population(dataset: Dataset, generated: bool = False) -> list[int]:
    """Return the rows that a sample is drawn from: the generated ones.

    All of them where the whole dataset is generated, or where no row says that it is.
    """
    generated_rows = [e.row for e in dataset if is_generated(e)]
    return list(range(len(dataset))) if generated or not generated_rows else generated_rows


def draw_order(dataset: Dataset, rows: Sequence[int], seed: int) -> list[int]:
    """Return the rows in an order that the dataset's digest and the seed decide, and nobody else.

    The first k are a simple random sample of size k. It is an order of sha256 sums, which is the
    same in every version of Python, and on every machine.
    """
    return sorted(rows, key=lambda row: _draw_key(f"{dataset.digest} {seed} {row}"))


def _draw_key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def sample_size(n: int, share: float) -> int:
    """Return how many of n rows are at least this share, 0..1."""
    return math.ceil(n * share - 1e-9)


def row_id(example: Example) -> str:
    """Return the id of a row, by its content; no spreadsheet takes it for a number."""
    return f"r{row_fingerprint(example)[:12]}"
