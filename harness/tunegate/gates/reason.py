"""The reason somebody gives with `--why`: it is committed, so nobody's data may stand in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import metadata

from ..errors import ConfigError

# Entry points: functions from a text to (kind, place of its first character) of what is private.
# The core knows no check; whoever finds personal data adds its own here.
ENTRY_POINT_GROUP = "tunegate.private"


def checked_reason(reason: str) -> str:
    """Return a reason on one line.

    Raises ConfigError with kind and place of the first personal data or key in it, never the value.
    """
    text = " ".join(reason.split())
    for kind, start in find_private(text):
        message = f"--why holds what looks like {kind}, from character {start + 1} on"
        raise ConfigError(f"{message}: a reason is committed; say it without")
    return text


def find_private(text: str) -> Iterator[tuple[str, int]]:
    """Yield kind and place of what is private in a text, by every finder that is installed."""
    for finder in _private_finders() if text else ():
        yield from finder(text)


@cache
def _private_finders() -> list[Callable[[str], Iterable[tuple[str, int]]]]:
    return [entry.load() for entry in metadata.entry_points(group=ENTRY_POINT_GROUP)]
