"""The errors that end a session or a command with a message instead of a traceback.

Standard library only: pytest imports this at every start.
"""


class ConfigError(Exception):
    """A mistake in the configuration or on the command line, in one message."""
