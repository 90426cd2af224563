"""For the tests of tunegate itself, and for its suites when they run on the embedded default."""

import os

from hypothesis import settings

pytest_plugins = ["pytester"]

# A deadline measures the machine, not the code; in CI the same examples run every time.
settings.register_profile("tunegate", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tunegate")
