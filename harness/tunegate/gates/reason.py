"""Refuses personal data and keys in the reason of `--why`, which is committed with the project."""

from __future__ import annotations

from ..errors import ConfigError
from ..utils.masking import find_private


def checked_reason(reason: str) -> str:
    """Return a reason on one line; raises ConfigError where it holds personal data or a key."""
    text = " ".join(reason.split())
    for private in find_private(text):
        place = f"from character {private.start + 1} on"
        message = f"--why holds what looks like {private.kind}, {place}"
        raise ConfigError(f"{message}: a reason is committed; say it without")
    return text
