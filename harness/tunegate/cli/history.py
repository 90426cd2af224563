"""Show the registry of promotions, the oldest first.

$ tunegate registry history production
$ tunegate registry history openai:gpt-4o-mini
"""

import argparse

from ..config.project import current_project
from ..gates.promotion import line_faults, lowered_text, note_on_test_set
from ..models.evaluation import find_judged, read_scorecards
from ..storage.registry import Registry


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alias", nargs="?", metavar="ALIAS",
                        help="or `latest`, or the spec of a model: when it was judged")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Print a line for each entry, and which aliases are undecided; 1 where the last is wrong."""
    registry = Registry(current_project())
    history, alias = registry.history(), args.alias or ""
    if alias not in history.last and (":" in alias or alias == "latest"):
        run = find_judged(registry.state, alias)
        for card in read_scorecards(run).values():
            print(f"{card['made']}  judged    {run.spec}  gate {card['gate']}")
        return 0
    if not history.last or args.alias not in (None, *history.last):
        subject = f" of {alias!r}" if alias else ""
        print(f"no promotion{subject} yet; aliases: {', '.join(sorted(history.last)) or 'none'}")
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
    fault = next(line_faults(history, last - 1, registry.state), "") if last else ""
    if fault:
        print(f"the last entry, line {last}, does not hold: {fault}; tunegate registry verify")
    return int(bool(fault))
