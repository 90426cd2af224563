"""Compare each entry with its run, receipt and scorecard.

Runs that are not on this machine are counted; nothing can be said of them.

$ tunegate registry verify
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..config.project import current_project

if TYPE_CHECKING:
    from ..storage.registry_chain import History


def arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(args: argparse.Namespace) -> int:
    """Print what is wrong, by line; exit status 1 where something is."""
    from ..gates.promotion import entry_faults
    from ..storage.registry import Registry, RegistryBroken
    from ..storage.run import Run
    from ..storage.state_dir import StateDir

    root = current_project()
    registry, state = Registry(root), StateDir(root)
    try:
        history = registry.history()
    except RegistryBroken as error:
        print(error)
        return 1
    finished = {path.parent.name for path in state.runs.glob("*/run.json")}
    wrong = compared = 0
    for number, entry in enumerate(history.entries):
        run_here = Run(state, entry["run"]) if entry.get("run") in finished else None
        compared += run_here is not None
        faults = [*history_faults(history, number), *entry_faults(entry, run_here, state)]
        wrong += bool(faults)
        for fault in faults:
            print(f"{registry.path}, line {number + 1}: {fault}")
    n = len(history.entries)
    print(f"{n} entries, {wrong} wrong; {compared} compared with a run that is here")
    return 1 if wrong else 0


def history_faults(history: History, number: int) -> Iterator[str]:
    """Yield where a rollback or a decision differs from the promotion that it goes back to."""
    from ..storage.registry import CHAIN_KEYS, MODEL_KEYS

    entry = history.entries[number]
    if entry["action"] not in ("rollback", "keep"):
        return
    promotion = history.standings[number][entry["alias"]].promotion
    if promotion is None:
        yield "it goes back to no promotion"
        return
    keys = MODEL_KEYS if entry["action"] == "rollback" else CHAIN_KEYS
    if differing := [key for key in keys if entry.get(key) != promotion.entry.get(key)]:
        yield f"{', '.join(differing)}: not as in the promotion that it goes back to"
