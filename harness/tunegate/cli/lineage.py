"""Show what a promoted model was made of, down to its data.

Each record stands with its sha256; at the end, whether they agree. Exit status 1 where not.

$ tunegate registry lineage production
$ tunegate registry lineage production --json
"""

import argparse
from typing import Any

from ..config.project import current_project
from ..data import SPLITS
from ..errors import ConfigError
from ..gates.promotion import line_faults
from ..storage.registry import Registry, RegistryEntry
from ..storage.state_dir import StateDir, read_unverified
from ..utils.masking import add_json_option, print_result


def arguments(parser: argparse.ArgumentParser) -> None:
    here = "default: production"
    parser.add_argument("alias", nargs="?", default="production", metavar="ALIAS", help=here)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the chain of the promotion in force; 1 where it does not hold."""
    registry = Registry(current_project())
    history, entry = registry.history(), registry.current(args.alias)
    if entry is None:
        names = ", ".join(sorted(history.last)) or "none"
        raise ConfigError(f"nothing was promoted to {args.alias!r}; aliases: {names}")
    number = next(n for n, e in enumerate(history.entries) if e.digest == entry.digest)
    faults, records = [*line_faults(history, number, registry.state)], links(entry, registry.state)
    is_here = (registry.state.runs / str(entry["run"]) / "run.json").is_file()
    agree = "they agree" if is_here else "the run is not on this machine: nothing was compared"
    lines = (f"{r['record']:<10} {r['what']}\n{'':<10} {r['sha256']}" for r in records)
    about = {"alias": args.alias, "run": entry["run"], "model": entry["model"]}
    told = {**about, "compared": is_here, "records": records, "faults": faults}
    print_result(args.json, told, [*lines, *(faults or [agree])])
    return int(bool(faults))


def links(entry: RegistryEntry, state: StateDir) -> list[dict[str, Any]]:
    """Return the records of a promotion, newest first, with the paths of those on this machine."""
    folder = state.runs / str(entry["run"])
    receipt, intent = (read_unverified(folder / f"{name}.json") for name in ("receipt", "intent"))
    data = receipt.get("data", {})
    why = f": {entry['why']}" if entry.get("why") else ""
    made = f"{intent['base']} by {intent['trainer']}" if intent else "not on this machine"
    rows = [
        ("promotion", f"{entry['alias']}, {entry['when']}, {entry['who']}{why}", entry.digest),
        ("scorecard", "of the model suite, on the test rows", entry.get("scorecard", "")),
        ("model", str(entry["model"]), entry["model_digest"]),
        ("trained", f"run {entry['run']}, {made}", intent.get("base_digest", "")),
        ("receipt", f"of the data suite, {receipt.get('made', '')}", entry.get("receipt", "")),
        *((split, data[split]["path"], data[split]["digest"]) for split in SPLITS if split in data),
    ]
    card = folder / "scorecards" / f"{entry.get('scorecard', '')[:12]}.json"
    files = {"scorecard": card, "trained": folder / "run.json", "receipt": folder / "receipt.json"}
    paths = {name: str(p.relative_to(state.root)) for name, p in files.items() if p.is_file()}
    keys = ("record", "what", "sha256", "path")
    return [dict(zip(keys, (*row, paths.get(row[0])), strict=True)) for row in rows]
