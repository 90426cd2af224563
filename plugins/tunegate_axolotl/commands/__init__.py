"""Commands: `tunegate export` and `tunegate import-run`."""
