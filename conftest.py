"""For the tests of tunegate itself, and for its suites when they run on the embedded default."""

import os

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# Workers share the cores among them: threads inside of one would wait for those of the other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A deadline measures the machine, not the code; in CI the same examples run every time.
settings.register_profile("tunegate", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tunegate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: begun last, it would have a core idle beside it."""
    items.sort(key=lambda item: item.path.name != "test_newcomer.py")
