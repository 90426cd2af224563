"""Chooses what a test runs on: its splits, its task, and an example of the test set each.

Also names the new fixture where a suite asks for one by its name before 0.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import get_args

import pytest

from ..data.dataset import SPLITS, Dataset
from ..gates.decision import abbreviate
from ..utils.hashing import sha256_json
from . import fixtures

EACH_EXAMPLE_FILE = "test_each_example.py"  # of a suite; collected under --each-example only
SPLIT_MARKER = "split(*names): run a test that asks for `dataset` on these splits only"
TASK_MARKER = "task(*names): run a test of a suite only where the project has one of these tasks"
RENAMED_FIXTURES = {
    "ask": "ask_model",
    "curves": "loss_curves",
    "general": "general_set",
    "judge": "judge_panel",
    "label": "label_rule",
    "recipe": "tokenization",
}


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


def tests_for_other_tasks(items: Iterable[pytest.Item], task: str) -> list[pytest.Item]:
    """Return the tests of a suite that are marked for other tasks than the project's.

    Raises pytest.UsageError for a marker without a task or with an unknown one, and for tests that
    ask for a fixture by its old name, unless somebody else defines one of that name.
    """
    from ..config.schema import Task

    valid, others = get_args(Task), []
    old_names: set[str] = set()
    node_ids: list[str] = []
    for item in items:
        for mark in item.iter_markers("task"):
            if not mark.args or (unknown := [name for name in mark.args if name not in valid]):
                wrong = f"unknown task {unknown[0]!r}" if mark.args else "mark.task without a task"
                raise pytest.UsageError(f"{item.nodeid}: {wrong}; valid: {', '.join(valid)}")
        if any(task not in mark.args for mark in item.iter_markers("task")):
            others.append(item)
        defined = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
        asked_for = {*getattr(item, "fixturenames", ())} - {*defined}
        if old := asked_for & RENAMED_FIXTURES.keys():
            old_names |= old
            node_ids.append(item.nodeid)
    if old_names:
        renamed = ", ".join(f"{RENAMED_FIXTURES[name]} for {name}" for name in sorted(old_names))
        raise pytest.UsageError(f"fixtures have new names: {renamed}; in {abbreviate(node_ids)}")
    return others
