"""What the plugin needs installed; one clear line where it is not."""

from __future__ import annotations

from importlib.util import find_spec


def missing() -> str:
    """Return one line saying how to install what is missing, "" where nothing is."""
    absent = find_spec("openai") is None
    return "train.openai needs the openai package: pip install 'tunegate[openai]'" if absent else ""
