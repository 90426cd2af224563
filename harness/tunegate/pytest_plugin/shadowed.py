"""Refuses a fixture of tunegate that is defined anew outside of the suite."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from . import fixtures


def visible_fixtures(node: pytest.Item) -> dict[str, Sequence[pytest.FixtureDef[Any]]]:
    """Return by name the definitions of tunegate's fixtures that a test sees, its own last.

    `pytestconfig` is among them, since tunegate's ask for it. pytest has no public interface for
    this: the one place here that knows how it keeps fixtures.
    """
    manager = node.session._fixturemanager
    ours = [
        name for name, value in vars(fixtures).items() if isinstance(value, type(fixtures.test))
    ]
    return {name: manager.getfixturedefs(name, node) or () for name in [*ours, "pytestconfig"]}


def refuse_shadowed_fixtures(items: Iterable[pytest.Item], suite: Path, rootdir: Path) -> None:
    """Raise pytest.UsageError where a fixture of tunegate is defined anew outside of the suite.

    Its tests would judge other data, or by other limits, than those that the gate opens on.
    """
    originals = {inspect.getfile(fixtures), inspect.getfile(pytest.FixtureDef)}
    for item in {item.parent: item for item in items}.values():
        for name, definitions in visible_fixtures(item).items():
            for definition in definitions:
                file = inspect.getfile(inspect.unwrap(definition.func))
                folder = definition.baseid.partition("::")[0]  # "" of plugins and of the root
                place = (rootdir / folder if folder else Path(file)).resolve()
                if file not in originals and not place.is_relative_to(suite):
                    raise pytest.UsageError(
                        f"the fixture `{name}` of the suites is defined anew in {file}, outside of "
                        f"the suite: rename it there, or define it in the suite's own conftest.py"
                    )
