"""Join the registries of two branches that both promoted.

Without files: after a conflict in git. An alias that both moved stays until --keep.

$ tunegate registry merge

$ tunegate registry merge --keep f3dd6e --why "better on refunds"
"""

import argparse
from pathlib import Path

from ..config.project import current_project
from ..errors import ConfigError
from ..storage.registry import Registry, checked_reason


def arguments(parser: argparse.ArgumentParser) -> None:
    add, versions = parser.add_argument, "OURS (is written), THEIRS, and git's BASE and path"
    add("files", nargs="*", type=Path, metavar="FILE", help=versions)
    add("--keep", metavar="RUN", help="where an alias shall stand that both moved")
    add("--alias", metavar="ALIAS", help="the one that --keep decides, else all")
    add("--why", default="", metavar="TEXT", help="the reason, for the registry")


def run(args: argparse.Namespace) -> int:
    """Keep the entries of both, add one that names both ends; 1 if an alias is undecided."""
    if len(args.files) not in (0, 2, 3, 4):
        raise ConfigError("give no file, or OURS THEIRS [BASE [PATH]]")
    if args.keep is not None and not args.why.strip():
        raise ConfigError('--keep needs a reason: --why "..."')
    if args.alias is not None and args.keep is None:
        raise ConfigError("--alias needs --keep RUN")
    why = checked_reason(args.why)
    # git runs it in its top folder, on temporary files; the path says whose registry they are.
    ours, theirs, base, place = (*args.files, *[None] * 4)[:4]
    if missing := [path for path in args.files[:3] if not path.is_file()]:
        raise ConfigError(f"no file {missing[0]}")
    registry = Registry(current_project(place.parent if place else Path()), ours)
    if added := registry.merge(why, theirs, base):
        print(f"joined {len(added['merges']) + 1} branches; all their entries are kept")
    elif args.keep is None:
        print("nothing to join: one version holds all entries")
    for entry in registry.keep(args.keep, why, args.alias) if args.keep is not None else ():
        print(f"{entry['alias']} is run:{entry['run']}")
    undecided = registry.history().undecided()
    for alias, standing in undecided.items():
        now = f"run:{standing.entry.get('run')}" if standing.entry else "no run"
        runs = [f"run:{p[0].get('run')}" for p in standing.contenders if p]
        print(f"{alias} is undecided: the branches moved it to {' and '.join(runs)}. ", end="")
        print(f'It stays at {now} until: tunegate registry merge --keep RUN --why "..."')
    return 1 if undecided else 0
