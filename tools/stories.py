"""Counts the files and functions that four typical commands call, process by process.

    python tools/stories.py               # a table: story, files, functions, hops
    python tools/stories.py finding fix   # of these alone; they take seconds
    python tools/stories.py --list fix    # the functions of one story, in order of first visit

finding      `pytest suites/data/test_personal_data.py`, an e-mail address in one row
train        `pytest suites/data --train-with qlora`, the process of pytest
train-child  the process that it starts to train
promote      `pytest suites/model --model latest --promote production`, after `train`
fix          `tunegate fix` on three splits

Each story runs in a temporary project of 300 training rows of the embedded default, with the suites
that `tunegate init` copies. A function counts where it is defined below harness/, checks/ or
plugins/ and is really called; comprehensions, lambdas, and bodies of modules and classes do not. A
hop is a change of file on the path of first visits. All stories take five minutes of CPU time.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("harness", "checks", "plugins")
TRIAGE = ROOT / "examples" / "triage"
ROWS = {"train": 300, "validation": 60, "test": 100}
STORIES = ("finding", "train", "train-child", "promote", "fix")
FINDING = ["-m", "pytest", "-q", "suites/data/test_personal_data.py"]
TRAIN = ["-m", "pytest", "-q", "suites/data", "--train-with", "qlora"]
PROMOTE = ["-m", "pytest", "-q", "suites/model", "--model", "latest", "--promote", "production"]
FIX = ["-m", "tunegate", "fix", "-o", "clean/"]
CONFIG = f"""\
task = "classification"

[data]
train = "data/train.jsonl"
validation = "data/validation.jsonl"
test = "data/test.jsonl"

[limits]  # so few rows are not what is measured here
fewest_per_class = 1
accuracy = 0.0
macro_f1 = 0.0

[train.qlora]
base = "{TRIAGE / "base"}"
epochs = 1
batch = 32
learning_rate = 4e-3
max_new_tokens = 8
threads = 1
"""


@dataclass(frozen=True)
class Visits:
    """The functions that one process called, in order of first visit, as (file, name)."""

    command: str
    functions: Sequence[tuple[str, str]]

    @property
    def files(self) -> int:
        return len({file for file, _ in self.functions})

    @property
    def hops(self) -> int:
        return sum(before[0] != after[0] for before, after in pairwise(self.functions))


def record(folder: Path, root: Path) -> None:
    """Write each function below `root`'s source folders that this process calls, at its first call.

    Called by the `sitecustomize` of each process that `run` starts.
    """
    own = tuple(f"{root / source}{os.sep}" for source in SOURCES)
    seen: dict[int, CodeType] = {}  # the objects too, so that no id is used twice
    out = (folder / f"{time.time_ns()}-{os.getpid()}").open("w", buffering=1, encoding="utf-8")
    print(" ".join(sys.orig_argv), file=out)

    def visit(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or id(code) in seen:
            return
        seen[id(code)] = code
        is_function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
        if is_function and code.co_filename.startswith(own):
            file = Path(code.co_filename).relative_to(root).as_posix()
            print(f"{file}\t{code.co_qualname}:{code.co_firstlineno}", file=out)

    threading.setprofile(visit)
    sys.setprofile(visit)


def run(command: Sequence[str], folder: Path, root: Path = ROOT, status: int = 0) -> list[Visits]:
    """Run `python COMMAND` in a folder; returns the visits of each process, the first one first.

    Shows what it printed where it does not exit with the expected status.
    """
    with tempfile.TemporaryDirectory() as temporary:
        records = Path(temporary) / "records"
        records.mkdir()
        hook = (
            "import sys\n"
            f"sys.path.insert(0, {str(Path(__file__).resolve().parent)!r})\n"
            "import functools, os, pathlib, stories\n"
            "del sys.path[0]\n"
            f"paths = map(pathlib.Path, ({str(records)!r}, {str(root)!r}))\n"
            "record = functools.partial(stories.record, *paths)\n"
            "os.register_at_fork(after_in_child=record)\n"
            "record()\n"
        )
        (Path(temporary) / "sitecustomize.py").write_text(hook, "utf-8")
        path = [temporary, *(str(root / source) for source in SOURCES)]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(path), "HF_HUB_OFFLINE": "1"}
        whole = [sys.executable, *command]
        done = subprocess.run(
            whole, cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != status:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            sys.exit(f"{' '.join(command)}: exit status {done.returncode}, not {status}")
        return [_visits(file) for file in sorted(records.iterdir())]


def _visits(file: Path) -> Visits:
    command, *lines = file.read_text("utf-8").splitlines()
    visited = (line.partition("\t") for line in lines)
    return Visits(command, [(path, name) for path, _, name in visited])


def make_project(folder: Path) -> None:
    """Make the project that the stories run in: suites, configuration, and data."""
    (folder / "data").mkdir(parents=True)
    (folder / "tunegate.toml").write_text(CONFIG, "utf-8")
    run(["-m", "tunegate", "init"], folder)
    for split, n in ROWS.items():
        rows = (TRIAGE / "data" / f"{split}.jsonl").read_text("utf-8").splitlines(keepends=True)
        (folder / "data" / f"{split}.jsonl").write_text("".join(rows[:n]), "utf-8")


def spoil(folder: Path) -> None:
    """Put an e-mail address into a training row of a project."""
    file = folder / "data" / "train.jsonl"
    rows = file.read_text("utf-8").splitlines(keepends=True)
    row = json.loads(rows[40])
    row["messages"][-2]["content"] += " Write to maria.souza@empresa.com.br"
    rows[40] = json.dumps(row, ensure_ascii=False) + "\n"
    file.write_text("".join(rows), "utf-8")


def measure(chosen: Sequence[str]) -> dict[str, Visits]:
    """Run the chosen stories, and the training before `promote`; returns the visits of each."""
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        project, faulty = Path(temporary) / "project", Path(temporary) / "faulty"
        make_project(project)
        if "finding" in chosen:
            shutil.copytree(project, faulty)
            spoil(faulty)
            found["finding"] = run(FINDING, faulty, status=1)[0]
        if "fix" in chosen:
            found["fix"] = run(FIX, project)[0]
        if {"train", "train-child", "promote"}.intersection(chosen):
            found["train"], *children = run(TRAIN, project)
            # The other children do little: pytest again, which only lists the suite.
            found["train-child"] = max(children, key=lambda visits: len(visits.functions))
        if "promote" in chosen:
            found["promote"] = run(PROMOTE, project)[0]
    return {story: found[story] for story in STORIES if story in chosen}


def main() -> None:
    """Print the table, or the functions of one story."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stories", nargs="*", metavar="STORY", default=STORIES)
    parser.add_argument("--list", choices=STORIES, metavar="STORY", help="list its functions")
    options = parser.parse_args()
    if unknown := {*options.stories}.difference(STORIES):
        parser.error(f"no such story: {', '.join(unknown)}; valid: {', '.join(STORIES)}")
    if options.list:
        visits = measure([options.list])[options.list]
        print(f"{visits.command}\n")
        for file, group in groupby(visits.functions, key=lambda function: function[0]):
            print(file, *(f"    {name}" for _, name in group), sep="\n")
        return
    print(f"{'story':<12} files functions  hops")
    for story, visits in measure(options.stories).items():
        print(f"{story:<12} {visits.files:5} {len(visits.functions):9} {visits.hops:5}")


if __name__ == "__main__":
    main()
