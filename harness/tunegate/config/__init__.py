"""Finds the project, and reads and validates tunegate.toml."""
