"""Parametrizes tests: `dataset` by split, `prediction` by example of the test set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from ..data.dataset import SPLITS, Dataset
from ..utils.hashing import sha256_json
from . import fixtures

EACH_EXAMPLE_FILE = "test_each_example.py"  # of a suite; collected under --each-example only
SPLIT_MARKER = "split(*names): run a test that asks for `dataset` on these splits only"


def parametrize_dataset(metafunc: pytest.Metafunc, configured: Sequence[str]) -> None:
    """Run a test once per split where its `dataset` fixture is tunegate's and not the project's.

    The splits are those of the marker `split`, else the `configured` ones. Raises
    pytest.UsageError for a marker that names an unknown split.
    """
    definitions = metafunc._arg2fixturedefs.get("dataset", ())
    if not definitions or definitions[-1].func.__module__ != fixtures.__name__:
        return
    marked = [str(name) for m in metafunc.definition.iter_markers("split") for name in m.args]
    if unknown := [name for name in marked if name not in SPLITS]:
        raise pytest.UsageError(f"unknown split {unknown[0]!r}; valid: {', '.join(SPLITS)}")
    # pytest skips a test without parameters. Without data it runs on "train", and the fixture fails
    # with the message that says which file is missing.
    splits = list(dict.fromkeys(marked)) or list(configured) or ["train"]
    metafunc.parametrize("dataset", splits, indirect=True, scope="function")


def example_ids(test: Dataset) -> list[str]:
    """Return a test id for each example, made of its text and not of its row number.

    An id has eight hexadecimal digits; a repeated example gets `-2`, `-3` ... behind them.
    """
    counts: Counter[str] = Counter()
    ids = []
    for example in test:
        name = sha256_json([example.system, example.text])[:8]
        counts[name] += 1
        ids.append(name if counts[name] == 1 else f"{name}-{counts[name]}")
    return ids
