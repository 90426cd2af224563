"""Say how many test rows a claim takes, before they are collected.

What is not given is that of the configuration, or of its defaults.

$ tunegate data plan --mode lower --classes 8 --label-cost 0.10
$ tunegate data plan --paired --difference 0 --changed 0.06
"""

import argparse
import math

from tunegate.utils.masking import add_json_option, print_result

from .. import stats

RANGES = {
    "limit": (0.0001, 0.9999), "accuracy": (0.0001, 1), "power": (0.0001, 0.9999),
    "margin": (0, 0.9999), "difference": (-1, 1), "changed": (0, 1), "classes": (0, math.inf),
    "label_cost": (0, math.inf), "ask_cost": (0, math.inf),
}  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "tunegate data plan [options]"
    add = parser.add_argument
    add("--limit", type=float, help="the least accuracy (limits.accuracy)")
    add("--accuracy", type=float, help="expected (halfway from limit to 1)")
    add("--mode", choices=("point", "lower"), help="held to the limit (limits.mode)")
    add("--power", type=float, default=stats.POWER, help="how often it should pass (0.8)")
    add("--paired", action="store_true", help="against another model, on the same rows")
    add("--margin", type=float, help="not worse by (limits.margin); 0: better")
    add("--difference", type=float, metavar="D", help="expected (0; with --margin 0: 0.03)")
    add("--changed", type=float, default=0.06, help="rows one alone has right (0.06)")
    add("--classes", type=int, default=0, metavar="K", help="with claims by class")
    add("--label-cost", type=float, default=0.0, metavar="USD", help="of one row")
    add("--ask-cost", type=float, default=0.0, metavar="USD", help="of one row, of one model")
    add_json_option(parser)


def run(args: argparse.Namespace) -> None:
    """Print one plan; raises ValueError for a number out of range, or a claim no rows can show."""
    from tunegate.config.schema import load_here

    limits = load_here()[1].limits
    limit = args.limit = float(limits.accuracy) if args.limit is None else args.limit
    accuracy = args.accuracy = (1 + limit) / 2 if args.accuracy is None else args.accuracy
    margin = args.margin = float(limits.margin) if args.margin is None else args.margin
    if args.difference is None:
        args.difference = 0.0 if margin else 0.03
    mode = args.mode or limits.mode
    worse = stats.WORSE if mode == "point" else 0  # than the claim: who should not pass
    for name, (low, high) in RANGES.items():
        if not low <= (value := getattr(args, name)) <= high:
            option = f"--{name.replace('_', '-')} {value:g}"
            raise ValueError(f"{option}: a number from {low:g} to {high:g} is valid")
    if args.paired:
        given, floor = f"--difference {args.difference:g}", 0 - margin
        rows = stats.rows_for_pair(args.difference, args.changed, margin, mode, args.power)
        claim = f"not worse by {100 * margin:g} points" if margin else "better than another model"
        claim += f", on the same rows, {args.changed:.1%} of which change"
        good = f"{100 * args.difference:+g} points"
        weak = f"{100 * (0 - margin - worse):+g} points: {stats.RISK:.0%} at most"
    else:
        given, floor = f"--accuracy {accuracy:g}", limit
        rows = stats.rows_for_limit(limit, accuracy, mode, args.power)
        claim = f"accuracy >= {limit:g}: {stats.errors_in_all(rows, limit, mode):,} may be wrong"
        good, bad = f"{accuracy:.1%} right", max(limit - worse, 0.0)
        weak = f"{bad:.1%} right: {stats.pass_rate(rows, limit, bad, mode):.1%}"
    if rows == stats.MOST_ROWS:
        raise ValueError(f"{given} takes more than {rows:,} rows: well above {floor:g} is valid")
    label, ask = rows * args.label_cost, rows * args.ask_cost * (2 if args.paired else 1)
    passes = f"{good}: {args.power:.0%} of test sets or more"
    lines = [("rows", f"{rows:,} (mode {mode})"), ("claim", claim), ("passes", passes), ("", weak)]
    if args.classes:
        every = f"of each class alone: {rows:,} rows of each, {rows * args.classes:,} in all"
        lines.append(("classes", f"{every}; drawn at random, {rows:,} / the rarest's share"))
    if args.label_cost or args.ask_cost:
        lines.append(("cost", f"${label:,.2f} to label, ${ask:,.2f} to ask once"))
    told = {name: getattr(args, name) for name in ("paired", *RANGES)}
    told |= {"rows": rows, "claim": claim, "mode": mode, "label_usd": label, "ask_usd": ask}
    print_result(args.json, told, (f"{heading:<10}{text}" for heading, text in lines))
