"""Refuses personal data and keys in the reason of `--why`, which is committed with the project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import metadata

from ..errors import ConfigError

PrivateFinder = Callable[[str], Iterable[tuple[str, int]]]

# Entry points of this group are functions of type PrivateFinder. The core knows no check:
# whichever package finds personal data adds its own function here.
ENTRY_POINT_GROUP = "tunegate.private"


def checked_reason(reason: str) -> str:
    """Return a reason on one line.

    Raises ConfigError with the kind and the place of the first personal data or key in it. The
    value itself is not repeated.
    """
    text = " ".join(reason.split())
    for kind, start in find_private(text):
        message = f"--why holds what looks like {kind}, from character {start + 1} on"
        raise ConfigError(f"{message}: a reason is committed; say it without")
    return text


def find_private(text: str) -> Iterator[tuple[str, int]]:
    """Yield kind and first character (from 0) of all private data that installed finders see."""
    for finder in installed_finders() if text else ():
        yield from finder(text)


@cache
def installed_finders() -> list[PrivateFinder]:
    """Load the finders of the entry points, once: each text of a report is searched."""
    return [entry.load() for entry in metadata.entry_points(group=ENTRY_POINT_GROUP)]
