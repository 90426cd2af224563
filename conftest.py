"""For the tests of tunegate itself, and for its suites when they run on the embedded default."""

import os

from hypothesis import settings

pytest_plugins = ["pytester"]

# Workers share the cores among them: threads inside of one would wait for those of the other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A deadline measures the machine, not the code; in CI the same examples run every time.
settings.register_profile("tunegate", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tunegate")
