"""Plant faults into your rows, and see which the suites miss.

Each kind of fault (a leak, a contradiction, personal data in a table, a model that is right by
chance) is planted by itself, and a suite runs on a copy of the project. The same command goes on
where it was stopped. Status 1: one of high severity was missed.

$ tunegate mutate --kinds leak secret --minutes 20
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from ..config.project import current_project
from ..errors import ConfigError
from ..exit_codes import UNMEASURABLE
from ..mutation.faults import FAULTS, MISSED, NOT_RUN, Mutants
from ..utils.masking import add_json_option, print_json


def arguments(parser: argparse.ArgumentParser) -> None:
    add, names = parser.add_argument, [fault.name for fault in FAULTS]
    add("--kinds", nargs="+", metavar="KIND", choices=names, default=names, help="default: all")
    add("--rows", metavar="N", type=int, default=5, help="planted rows of a kind (5)")
    add("--seed", metavar="N", type=int, default=0, help="draws the rows (0)")
    add("--minutes", metavar="M", type=float, default=9_999, help="stop then; status 75")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Run the suites on each mutant, and print a verdict for each kind of fault."""
    if args.rows < 1:
        raise ConfigError(f"--rows {args.rows}: a number from 1 on is needed")
    faults, verdicts = [fault for fault in FAULTS if fault.name in args.kinds], []
    with tempfile.TemporaryDirectory(prefix="tunegate-") as folder:
        place, deadline = Path(folder).resolve(), time.monotonic() + 60 * args.minutes
        mutants = Mutants(current_project(), place, seed=args.seed, n=args.rows, deadline=deadline)
        for verdict in mutants.verdicts(faults):
            verdicts.append(verdict)
            print(end="" if args.json else f"{verdict_text(verdict)}\n", flush=True)
    failing = [test for found in mutants.clean.values() if found for test in found["failed"]]
    if args.json:
        print_json({"fails_already": failing, "verdicts": verdicts})
    elif failing:
        print("fails already, so that only new findings count:", *failing, sep="\n  ")
    stopped = UNMEASURABLE if any(v["result"] == NOT_RUN for v in verdicts) else 0
    return 1 if (MISSED, "high") in [(v["result"], v["severity"]) for v in verdicts] else stopped


def verdict_text(v: dict[str, Any]) -> str:
    """Return a verdict as a line; below a fault that was missed, the line that catches it."""
    tests = ", ".join(test.rpartition("::")[2] for test in v["caught_by"])
    text = f"{v['kind']:<21}{v['severity']:<8}{v['result']}" + f" by {tests}" * bool(tests)
    if v["result"] == MISSED:
        lost = v["not_found"] or v["planted"]
        text += f"\n{'':<29}not seen: {'; '.join(lost[:5])}{', ...' * (len(lost) > 5)}"
        text += f"\n{'':<29}add: {v['found_by']}"
    return text
