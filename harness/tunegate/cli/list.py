"""List the snapshots of data, here and in the store.

$ tunegate data list
"""

import argparse
from pathlib import Path
from typing import Any

from ..storage.registry import Registry
from ..storage.store import Store
from ..utils.masking import print_result
from .pack import add_options, open_store

arguments = add_options


def run(args: argparse.Namespace) -> None:
    """Print a line for each snapshot."""
    told = snapshots(open_store(args.store))
    print_result(args.json, {"snapshots": told}, [*map(line, told)] or ["no snapshot yet"])


def snapshots(store: Store) -> list[dict[str, Any]]:
    """Return what is known of each snapshot, the newest first; `place` is "" for a purged one."""
    told, aliases = list[dict[str, Any]](), aliases_by_run(store)
    for digest, uses in store.uses().items():
        path, runs = store.find(digest), [*dict.fromkeys(use.run for use in uses)]
        told.append({
            "digest": digest, "splits": sorted({use.split for use in uses}),
            "path": uses[0].path if uses else "", "rows": uses[-1].rows if uses else None,
            "bytes": path.stat().st_size if path else None, "made": uses[0].made if uses else "",
            "place": "" if path is None else "store" if path == store.file(digest) else "here",
            "accepted": max((use.accepted for use in uses), default=0),
            "runs": runs, "aliases": [alias for run in runs for alias in aliases.get(run, [])],
        })  # fmt: skip
    return sorted(told, key=lambda snapshot: str(snapshot["made"]), reverse=True)


def aliases_by_run(store: Store) -> dict[str, list[str]]:
    """Return the aliases that stand on each run; raises RegistryBroken."""
    aliases: dict[str, list[str]] = {}
    for alias, standing in Registry(store.state.root).history().last.items():
        aliases.setdefault(standing.entry["run"] if standing.entry else "", []).append(alias)
    return aliases


def line(told: dict[str, Any]) -> str:
    """Return a snapshot as two lines: what it is, and below it which file, runs and aliases."""
    size = f"{told['bytes']:,} bytes, {told['place']}" if told["place"] else "purged"
    rows = "" if told["rows"] is None else f"{told['rows']:,} rows"
    about = [told["digest"][:12], "+".join(told["splits"]), rows, size, told["made"][:10]]
    used = [Path(told["path"]).name, *(f"run:{run}" for run in told["runs"]), *told["aliases"]]
    return f"{'  '.join(filter(None, about))}\n{'':12}  {'  '.join(filter(None, used))}".rstrip()
