"""What the plugin needs installed; one clear line where it is not."""

from __future__ import annotations

from tunegate import extras


def missing_requirements() -> str:
    """Return one line saying how to install what is missing, "" where nothing is."""
    return extras.missing_packages("train.openai", "openai", "openai")
