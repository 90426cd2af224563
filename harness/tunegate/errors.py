"""Errors that end a session or command with a message; standard library only, for a fast start."""


class ConfigError(Exception):
    """A mistake in the configuration or on the command line, in one message."""
