"""Make a small project, and run the whole loop in it.

The project holds support tickets, a tiny base model and the suites; it needs neither a network nor
a GPU. A second time only what changed is done again.

$ tunegate demo
$ tunegate demo ../playground
"""

import argparse
import runpy
from pathlib import Path

from tunegate.cli.init import EXAMPLES

from .common import require_packages


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, default=Path("tunegate-demo"),
                        metavar="FOLDER", help="default: tunegate-demo")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run the script of the examples; return its status."""
    require_packages()
    status: int = runpy.run_path(str(EXAMPLES / "demo.py"))["run"](args.folder)
    return status
