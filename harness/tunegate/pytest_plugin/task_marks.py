"""Finds the tests that are marked for other tasks, or that ask for fixtures by former names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import pytest

TASK_MARKER = "task(*names): run a test of a suite only where the project has one of these tasks"
# The new fixture, where a suite asks for one by its name before 0.2.
RENAMED_FIXTURES = {
    "ask": "ask_model",
    "curves": "loss_curves",
    "general": "general_set",
    "judge": "judge_panel",
    "label": "label_rule",
    "recipe": "tokenization",
}


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
        from ..gates.decision import abbreviate

        renamed = ", ".join(f"{RENAMED_FIXTURES[name]} for {name}" for name in sorted(old_names))
        raise pytest.UsageError(f"fixtures have new names: {renamed}; in {abbreviate(node_ids)}")
    return others
