"""Commands: `tunegate run export` and `tunegate run import`."""
