"""The pytest plugin: entry point, hooks, fixtures, parametrization."""
