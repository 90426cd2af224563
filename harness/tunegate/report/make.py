"""From a run's name to its page."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from .chain import links
from .gather import Found, gather
from .misses import misses
from .page import Page
from .scores import scores
from .standing import lines
from .suite import suite
from .training import training
from .verdict import verdict
from .words import local, minute, named, pairs

NO_LINE = "registry.jsonl has no line about this run."


def make(root: Path, name: str, scorecard: str, now: datetime) -> tuple[Found, Page]:
    """Read a run, verify its chain, and say what is shown; raises ConfigError."""
    found = gather(root, name, scorecard)
    return found, page(found, now)


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
