"""The pytest plugin: entry point, hooks, fixtures, report sections."""
