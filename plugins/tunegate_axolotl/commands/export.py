"""Write a run's data and settings for Axolotl.

$ tunegate run export axolotl 3fa9c1
"""

import argparse
from pathlib import Path

from tunegate.errors import ConfigError
from tunegate_qlora.commands.common import qlora_run


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: axolotl-RUN")


def run(args: argparse.Namespace) -> None:
    """Write the folder; print its files, and the commands that train and import."""
    from .. import export

    with qlora_run(args.run) as started:
        folder: Path = args.out or Path(f"axolotl-{started.id}")
        if folder.exists():
            raise ConfigError(f"{folder} is there already; name another with --out")
        names, base = export.write_export(started, folder), export.portable_base(started)
    print(f"wrote    {', '.join(names)}")
    print(f"in       {folder}; it holds the data: keep it private")
    print(f"base     {base}; where it lies elsewhere there, change base_model")
    print(f"there    cd {folder.name} && axolotl train {export.CONFIG_FILE}")
    print(f"then     tunegate run import {folder}/out --receipt {started.id}")
