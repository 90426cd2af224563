"""The reason somebody gives with `--why`: it is committed, so nobody's data may stand in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import metadata

from .project import ConfigError

# Entry points: functions from a text to (kind, place of its first character) of what is private.
# The core knows no check; whoever finds personal data adds its own here.
GROUP = "tunegate.private"


def stated(why: str) -> str:
    """Return a reason on one line.

    Raises ConfigError with kind and place of the first personal data or key in it, never the value.
    """
    text = " ".join(why.split())
    for kind, start in private(text):
        what = f"--why holds what looks like {kind}, from character {start + 1} on"
        raise ConfigError(f"{what}: a reason is committed; say it without")
    return text


def private(text: str) -> Iterator[tuple[str, int]]:
    """Yield kind and place of what is private in a text, by every finder that is installed."""
    for finder in _finders() if text else ():
        yield from finder(text)


@cache
def _finders() -> list[Callable[[str], Iterable[tuple[str, int]]]]:
    return [entry.load() for entry in metadata.entry_points(group=GROUP)]
