"""Write a run's data and settings for another trainer (Axolotl), to bring the model back later."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunegate.config.project import current_project
from tunegate.errors import ConfigError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("to", choices=["axolotl"], metavar="axolotl", help="the only one so far")
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: axolotl-RUN")


def run(args: argparse.Namespace) -> None:
    """Write the folder; say what is in it, and the way back."""
    from tunegate.storage.run import find_started
    from tunegate.storage.seal import SealBroken
    from tunegate.storage.state_dir import StateDir
    from tunegate_qlora.runtime import requirements
    from tunegate_qlora.runtime.quiet import quiet_libraries

    if missing := requirements.missing_requirements():
        raise ConfigError(missing)
    started = find_started(StateDir(current_project()), args.run)
    if started.plan.trainer != "qlora":
        raise ConfigError(
            f"run {started.id} is {started.plan.trainer}'s; only qlora's can be exported"
        )
    folder: Path = args.out or Path(f"axolotl-{started.id}")
    if folder.exists():
        raise ConfigError(f"{folder} is there already; name another with --out")
    with quiet_libraries():
        from .. import export

        try:
            manifest = export.write_export(started, folder)
        except SealBroken as error:
            raise ConfigError(str(error)) from None
    print(f"wrote    {', '.join(manifest.files)}")
    print(f"in       {folder}; it holds the data: keep it private")
    print(f"base     {manifest.base_model}; where it lies elsewhere there, change base_model")
    print(f"there    cd {folder.name} && axolotl train {export.CONFIG_FILE}")
    print(f"then     tunegate import-run {folder}/out --receipt {started.id}")
