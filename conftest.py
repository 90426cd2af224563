"""For the tests of tunegate itself, and for its suites when they run on the embedded default."""

pytest_plugins = ["pytester"]
