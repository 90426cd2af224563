"""Write one run, or a model judged without one, as an HTML page.

$ tunegate report latest
$ tunegate report 3fa9c1 -o report.html
$ tunegate report openai:gpt-4o-mini
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from ..config.project import current_project
from ..errors import ConfigError
from ..reporting.html.render import make_report, render_html
from ..utils.atomic import atomic_write

DOCTYPE = b"<!doctype html>"


def arguments(parser: argparse.ArgumentParser) -> None:
    add, run_help = parser.add_argument, "a run, or the spec of a model; default: latest"
    add("run", nargs="?", default="latest", metavar="RUN", help=run_help)
    add("-o", "--out", type=Path, metavar="FILE", help="default: report.html in its folder")
    add("--scorecard", default="", metavar="DIGEST", help="default: the newest")


def run(args: argparse.Namespace) -> None:
    """Write the page with mode 0600: it can show text of rows."""
    files, page = make_report(current_project(), args.run, args.scorecard, datetime.now(UTC))
    out: Path = args.out or files.run.folder / "report.html"
    if out.is_dir():
        raise ConfigError(f"{out} is a folder; name a file: -o {out / 'report.html'}")
    is_page = out.is_file() and out.read_bytes().lower().startswith(DOCTYPE)
    if out.exists() and not is_page:
        raise ConfigError(f"{out} is there and is no HTML page: not replaced; name another file")
    atomic_write(out, render_html(page), mode=0o600)
    print(f"{files.run}: {page.verdict.headline}")
    print(out)
