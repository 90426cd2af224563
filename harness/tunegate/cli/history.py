"""Show the registry of promotions, the oldest first.

$ tunegate registry history production
$ tunegate registry history openai:gpt-4o-mini
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from ..config.project import current_project
from ..gates.promotion import line_faults, lowered_text, note_on_test_set
from ..models.evaluation import find_judged, read_scorecards
from ..storage.registry import Registry
from ..utils.masking import add_json_option, print_result


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alias", nargs="?", metavar="ALIAS",
                        help="or `latest`, or the spec of a model: when it was judged")  # fmt: skip
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each entry, and which aliases are undecided; 1 where the last is wrong."""
    registry, alias = Registry(current_project()), args.alias or ""
    history = registry.history()
    told: dict[str, Any] = {"entries": [], "undecided": [], "fault": None, "judged": []}
    if alias not in history.last and (":" in alias or alias == "latest"):
        run = find_judged(registry.state, alias)
        for path, card in read_scorecards(run).items():
            judged = {"made": card["made"], "model": run.spec, "gate": card["gate"]}
            told["judged"].append(judged | {"path": path.relative_to(registry.state.root)})
    else:
        last = len(history.entries)
        told["entries"] = [
            {"line": line, "digest": e.digest, **e} for line, e in enumerate(history.entries, 1)
            if alias in ("", e["alias"]) or e["action"] == "merge"
        ]  # fmt: skip
        told["undecided"] = [name for name in history.undecided() if alias in ("", name)]
        if last and (fault := next(line_faults(history, last - 1, registry.state), None)):
            told["fault"] = {"line": last, "fault": fault}
        if not args.json and (not history.last or alias not in ("", *history.last)):
            names, subject = sorted(history.last), f" of {alias!r}" if alias else ""
            print(f"no promotion{subject} yet; aliases: {', '.join(names) or 'none'}")
    print_result(args.json, told, lines(told))
    return int(bool(told["fault"]))


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines for a terminal."""
    for card in told["judged"]:
        yield f"{card['made']}  judged    {card['model']}  gate {card['gate']}"
    for e in told["entries"]:
        if e["action"] == "merge":
            moved = f"{e['when']}  merge     {len(e['merges']) + 1} branches"
        else:
            moved = f"{e['when']}  {e['action']:<8}  {e['alias']}  run:{e['run']}"
        yield f"{moved}  {e['who']}  {e['why']}".rstrip()
        if e.get("trained"):
            yield f"    {e['trained']}"
        if "test_receipt" in e:
            yield f"    {note_on_test_set(e)}"
        if "lowered" in e:
            yield f"    lowered since the data gate: {lowered_text(e['lowered'])}"
    for alias in told["undecided"]:
        yield f'{alias} is undecided: tunegate registry merge --keep RUN --why "..."'
    if fault := told["fault"]:
        held = f"the last entry, line {fault['line']}, does not hold: {fault['fault']}"
        yield f"{held}; tunegate registry verify"
