"""Writes constraints.txt: one version of each package, of all extras, as pip chooses them.

    python tools/constraints.py             # keeps what is there, adds what is missing
    python tools/constraints.py --upgrade   # the newest of all but torch

Nothing is installed. torch keeps its version: without one, pip takes several GB of CUDA packages.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FILE = ROOT / "constraints.txt"
KEPT = "torch"
HEAD = """\
# The versions that tests and the demo run with; `make constraints` writes this file.
# torch has the version of which a CPU build is offered.
"""


def pins(report: dict[str, Any]) -> dict[str, str]:
    """Return the version of each package of pip's report, without its local part (`+cpu`)."""
    found = {}
    for item in report["install"]:
        name, version = item["metadata"]["name"], item["metadata"]["version"]
        if name != "tunegate":
            found[name] = version.partition("+")[0]
    return found


def text(versions: dict[str, str]) -> str:
    """Return the file."""
    lines = [f"{name}=={versions[name]}\n" for name in sorted(versions, key=str.lower)]
    return "".join([HEAD, *lines])


def requirements() -> list[str]:
    """Return what pip is asked for: the project with every extra, and what builds it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = ",".join(project["project"]["optional-dependencies"])
    return [f"{ROOT}[{extras}]", *project["build-system"]["requires"], "editables"]


def resolve(kept: str) -> dict[str, Any]:
    """Return pip's report of what it would install, with these lines as constraints."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(kept)
        file.flush()
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        quiet = ["--quiet", "--disable-pip-version-check", "--report", "-"]
        done = subprocess.run(
            [*pip, *quiet, "-c", file.name, *requirements()],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description="Write constraints.txt.")
    parser.add_argument("--upgrade", action="store_true")
    lines = FILE.read_text("utf-8").splitlines()
    if parser.parse_args().upgrade:
        lines = [line for line in lines if re.match(rf"{KEPT}==", line)]
    before = FILE.read_text("utf-8")
    FILE.write_text(text(pins(resolve("\n".join(lines)))), "utf-8")
    print("unchanged" if FILE.read_text("utf-8") == before else f"wrote  {FILE}")


if __name__ == "__main__":
    main()
