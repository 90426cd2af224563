"""Where a project's configuration stands. Standard library only: every pytest start-up is here."""

from __future__ import annotations


class ConfigError(Exception):
    """A mistake in the configuration or on the command line, told in one message."""
