"""Where a run stands in the registry: what it is now, and what it was."""

from __future__ import annotations

from ..registry import RegistryEntry, promotions_in_force
from .gather import RunFiles


def current_promotions(files: RunFiles) -> dict[str, RegistryEntry]:
    """Return the aliases that stand on this run, each with its promotion."""
    promotions_by_alias = {
        alias: promotions_in_force(files.entries, alias)
        for alias in {e["alias"] for e in files.entries}
    }
    return {
        a: s[-1]
        for a, s in sorted(promotions_by_alias.items())
        if s and s[-1].get("run") == files.run.id
    }


def former_promotions(files: RunFiles) -> dict[str, RegistryEntry]:
    """Return the aliases that once stood on this run, each with its last promotion then."""
    current = current_promotions(files)
    return {
        entry["alias"]: entry for entry in _all_promotions(files) if entry["alias"] not in current
    }


def counting_promotions(files: RunFiles) -> list[RegistryEntry]:
    """Return the promotions of this run that count: all in force, else the last one it had."""
    return [*current_promotions(files).values()] or _all_promotions(files)[-1:]


def _all_promotions(files: RunFiles) -> list[RegistryEntry]:
    """Return every promotion of this run, the oldest first."""
    run_entries = (entry for entry in files.entries if entry.get("run") == files.run.id)
    return [entry for entry in run_entries if entry["action"] != "rollback"]


def registry_lines(files: RunFiles) -> list[RegistryEntry]:
    """Return the registry's lines that are about this run, the oldest first."""
    run_id = files.run.id
    return [entry for entry in files.entries if run_id in (entry.get("run"), entry.get("from"))]
