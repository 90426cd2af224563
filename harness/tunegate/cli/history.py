"""Show the registry of promotions, the oldest first.

$ tunegate registry history production
"""

from __future__ import annotations

import argparse

from ..config.project import current_project
from ..utils.text import did_you_mean


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alias", nargs="?", metavar="ALIAS")


def run(args: argparse.Namespace) -> int:
    """Print a line for each entry, the oldest first, and which aliases are undecided.

    The chain shows what became of each line but the last, whose digest no line names: exit status 1
    where that one does not agree with its run.
    """
    from ..gates.lowered_limits import lowered_text
    from ..gates.new_test_set import note_on_test_set
    from ..gates.promotion import line_faults
    from ..storage.registry import Registry

    registry = Registry(current_project())
    history = registry.history()
    aliases = sorted(history.last)
    if not aliases:
        print("no promotion yet: pytest suites/model --model latest --promote production")
    elif args.alias not in (None, *aliases):
        hint = did_you_mean(args.alias, aliases)
        print(f"no entry of {args.alias!r}{hint}; aliases: {', '.join(aliases)}")
    undecided = history.undecided().keys()
    for e in history.entries:
        if e["action"] == "merge":
            moved = f"{e['when']}  merge     {len(e['merges']) + 1} branches"
        else:
            moved = f"{e['when']}  {e['action']:<8}  {e['alias']}  run:{e['run']}"
        if args.alias in (None, e["alias"]) or e["action"] == "merge":
            print(f"{moved}  {e['who']}  {e['why']}".rstrip())
            if e.get("trained"):
                print(f"    {e['trained']}")
            if "test_receipt" in e:
                print(f"    {note_on_test_set(e)}")
            if "lowered" in e:
                print(f"    lowered since the data gate: {lowered_text(e['lowered'])}")
    for alias in undecided if args.alias is None else undecided & {args.alias}:
        print(f'{alias} is undecided: tunegate registry merge --keep RUN --why "..."')
    last = len(history.entries)
    faults = line_faults(history, last - 1, registry.state) if last else []
    if faults:
        print(f"the last entry, line {last}, does not hold: {faults[0]}; tunegate registry verify")
    return int(bool(faults))
