"""Where a run stands in the registry: what it is now, and what it was."""

from __future__ import annotations

from ..registry import Entry, standing
from .gather import Found


def in_force(found: Found) -> dict[str, Entry]:
    """Return the aliases that stand on this run, each with its promotion."""
    now = {alias: standing(found.entries, alias) for alias in {e["alias"] for e in found.entries}}
    return {a: s[-1] for a, s in sorted(now.items()) if s and s[-1].get("run") == found.run.id}


def before(found: Found) -> dict[str, Entry]:
    """Return the aliases that once stood on this run, each with its last promotion then."""
    now = in_force(found)
    return {entry["alias"]: entry for entry in _ever(found) if entry["alias"] not in now}


def promotions(found: Found) -> list[Entry]:
    """Return the promotions of this run that count: all in force, else the last one it had."""
    return [*in_force(found).values()] or _ever(found)[-1:]


def _ever(found: Found) -> list[Entry]:
    """Return every promotion of this run, the oldest first."""
    mine = (entry for entry in found.entries if entry.get("run") == found.run.id)
    return [entry for entry in mine if entry["action"] != "rollback"]


def lines(found: Found) -> list[Entry]:
    """Return the registry's lines that are about this run, the oldest first."""
    own = found.run.id
    return [entry for entry in found.entries if own in (entry.get("run"), entry.get("from"))]
