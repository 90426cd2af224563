"""Compare each entry with its run, receipt and scorecard.

Runs that are not on this machine are counted; nothing can be said of them.

$ tunegate registry verify
"""

import argparse

from ..config.project import current_project
from ..gates.promotion import line_faults
from ..storage.registry import Registry, RegistryBroken
from ..utils.text import counted


def run(args: argparse.Namespace) -> int:
    """Print what is wrong, by line; exit status 1 where something is."""
    registry = Registry(current_project())
    try:
        history = registry.history()
    except RegistryBroken as error:
        print(error)
        return 1
    finished = {path.parent.name for path in registry.state.runs.glob("*/run.json")}
    wrong = compared = 0
    for number, entry in enumerate(history.entries):
        compared += str(entry.get("run")) in finished
        faults = [*line_faults(history, number, registry.state)]
        wrong += bool(faults)
        for fault in faults:
            print(f"{registry.path}, line {number + 1}: {fault}")
    entries = counted(len(history.entries), "entry")
    print(f"{entries}, {wrong} wrong; {compared} compared with a run that is here")
    return 1 if wrong else 0
