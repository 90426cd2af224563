"""From a run's name to its page."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from json import JSONDecodeError
from pathlib import Path

from ..project import ConfigError
from .chain import links
from .gather import Found, gather, run_of
from .misses import misses
from .page import Page
from .scores import scores
from .standing import lines
from .suite import suite
from .training import training
from .verdict import verdict
from .words import local, minute, named, pairs

# What reading another one's JSON, or a damaged one of ours, ends in.
STRANGE = (
    *(KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError),
    *(JSONDecodeError, UnicodeDecodeError),
)
NO_LINE = "registry.jsonl has no line about this run."


def make(root: Path, name: str, scorecard: str, now: datetime) -> tuple[Found, Page]:
    """Read a run, verify its chain, and say what is shown; raises ConfigError."""
    run = run_of(root, name)
    try:
        found = gather(root, run.id, scorecard)
        return found, page(found, now)
    except STRANGE as error:
        what = f"a file there is not what tunegate wrote ({error!r:.200})"
        raise ConfigError(f"{run.folder}: {what}") from error


def page(found: Found, now: datetime) -> Page:
    """Return the page of what was found; `now` is when it was made."""
    chain = tuple(replace(link, told=local(link.told, found.root)) for link in links(found))
    model = named(str(found.record["model"]), found.root)
    return Page(
        found.run.id, model, minute(now.isoformat(timespec="seconds")), verdict(found, chain),
        _registry(found), scores(found), misses(found), suite(found), training(found), chain,
        pairs(found.receipt["versions"]) if found.receipt else (),
    )  # fmt: skip


def _registry(found: Found) -> tuple[tuple[str, ...], ...] | str:
    if found.broken:
        return f"{local(found.broken, found.root)}."
    keys = ("action", "alias", "run", "who", "why")
    rows = [(minute(e["when"]), *(str(e.get(k, "")) for k in keys)) for e in lines(found)]
    return tuple(rows) or NO_LINE
