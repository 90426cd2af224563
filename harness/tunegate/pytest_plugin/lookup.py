"""Finds the session of a pytest configuration, for fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from ..session.context import SessionContext

PLUGIN_NAME = "tunegate-session"  # the name of the plugin whose `context` it is


def session_context(config: pytest.Config) -> SessionContext:
    """Return what tunegate knows of this session."""
    hooks = config.pluginmanager.get_plugin(PLUGIN_NAME)
    context: SessionContext = hooks.context  # type: ignore[union-attr]
    return context
