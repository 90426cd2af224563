"""Copy a run and its snapshots into a store, for other machines.

The store is a folder: `folder` of [store], or --store. A pack that was interrupted goes on.

$ tunegate run pack latest
"""

import argparse
from pathlib import Path

from ..config.project import current_project
from ..config.schema import load
from ..errors import ConfigError
from ..storage.state_dir import StateDir, find_finished
from ..storage.store import Store
from ..utils.masking import add_json_option, print_result


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--store` and `--json`."""
    parser.add_argument("--store", type=Path, metavar="DIR", help="default: that of [store]")
    add_json_option(parser)


def open_store(given: Path | None = None) -> Store:
    """Return the store that an option or the configuration names, else `.tunegate/store`."""
    state = StateDir(current_project())
    configured = given.resolve() if given else load(state.root).store.get("folder")
    if configured is None:
        return Store(state, state.folder / "store")
    folder = (state.root / Path(configured).expanduser()).resolve()
    if not folder.is_dir():  # where nothing is mounted, a folder would stay on this machine
        raise ConfigError(f"the store {folder} is no folder: mount it, or make it")
    return Store(state, folder)


def run(args: argparse.Namespace) -> None:
    """Copy what the store lacks, and print how much that was."""
    store = open_store(args.store)
    packed = find_finished(store.state, args.run)
    files, copied = store.pack(packed)
    told = {"run": packed.id, "store": store.folder, "files": files, "copied": copied}
    print_result(args.json, told, [f"{packed}: {files} files, {copied} copied to {store.folder}"])
