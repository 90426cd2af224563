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
    mine = (e for e in found.entries if e["action"] != "rollback" and e.get("run") == found.run.id)
    now = in_force(found)
    return {entry["alias"]: entry for entry in mine if entry["alias"] not in now}


def promotion_of(found: Found) -> Entry | None:
    """Return the promotion of this run that counts: one in force, else the last one it had."""
    entries = [*before(found).values(), *in_force(found).values()]
    return entries[-1] if entries else None


def lines(found: Found) -> list[Entry]:
    """Return the registry's lines that are about this run, the oldest first."""
    own = found.run.id
    return [entry for entry in found.entries if own in (entry.get("run"), entry.get("from"))]
