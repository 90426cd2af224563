"""Compare each entry with its run, receipt and scorecard.

Runs that are not on this machine are counted; nothing can be said of them.

$ tunegate registry verify
"""

import argparse

from ..config.project import current_project
from ..gates.promotion import line_faults
from ..storage.registry import Registry, RegistryBroken
from ..utils.masking import add_json_option, print_result
from ..utils.text import counted

arguments = add_json_option


def run(args: argparse.Namespace) -> int:
    """Print what is wrong, by line; exit status 1 where something is."""
    registry, entries, compared = Registry(current_project()), 0, 0
    faults = list[tuple[int | None, str]]()
    try:
        history = registry.history()
        finished = {path.parent.name for path in registry.state.runs.glob("*/run.json")}
        for entries, entry in enumerate(history.entries, start=1):
            compared += str(entry.get("run")) in finished
            faults += ((entries, f) for f in line_faults(history, entries - 1, registry.state))
    except RegistryBroken as error:
        faults = [(None, str(error))]
    wrong = len({line for line, _ in faults})
    lines = [f"{registry.path}, line {line}: {text}" if line else text for line, text in faults]
    if entries or not faults:  # all could be read
        total = counted(entries, "entry")
        lines.append(f"{total}, {wrong} wrong; {compared} compared with a run that is here")
    listed = [{"line": line, "fault": fault} for line, fault in faults]
    told = {"entries": entries, "wrong": wrong, "compared": compared, "faults": listed}
    print_result(args.json, told, lines)
    return int(bool(faults))
