"""The whole loop on the embedded default: check the data, train, judge the model, promote it.

make demo
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from baselines import majority, read, show, tfidf
from rich.console import Console

from tunegate.storage.registry import Registry
from tunegate.storage.run import Run, find_finished
from tunegate.storage.state_dir import StateDir

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
console = Console(highlight=False)


def pytest(*args: str) -> float:
    """Run pytest as a user would, what it prints and all; return the seconds it took."""
    console.print(f"\n[bold]$ pytest {' '.join(args)}[/bold]")
    start = time.monotonic()
    # Nothing in the demo needs the network; this keeps libraries from trying.
    env = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *args], cwd=ROOT, env=env, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    return time.monotonic() - start


def scorecard(run: Run) -> dict[str, Any]:
    """Return the newest scorecard of a run."""
    paths = (run.folder / "scorecards").glob("*.json")
    cards: list[dict[str, Any]] = [json.loads(path.read_bytes()) for path in paths]
    return max(cards, key=lambda card: datetime.fromisoformat(card["made"]))


def compared() -> list[str]:
    """Return what simple means reach, so that nobody takes the tiny model for a wonder."""
    train, test = read(HERE / "data" / "train.jsonl"), read(HERE / "data" / "test.jsonl")
    return [
        show("majority class", majority(train, test)),
        show("TF-IDF, logistic regression", tfidf(train, test)),
    ]


def told(run: Run, card: dict[str, Any]) -> list[str]:
    """Say in plain words what happened."""
    base, now = card["baseline"], card["predictions"]
    rows = {split: sum(1 for _ in _lines(split)) for split in ("train", "validation", "test")}
    current = Registry(ROOT).current("production")
    return [
        f"{len(run.receipt['tests'])} checks passed on {rows['train']:,} training, "
        f"{rows['validation']:,} validation and {rows['test']:,} test tickets.",
        "Training began only then, on a snapshot of exactly these bytes.",
        show("base model, not tuned", _hits(base)),
        show("fine-tuned (QLoRA)", _hits(now)),
        *compared(),
        f"production is now run:{current['run']}, as registry.jsonl says."
        if current
        else "Nothing was promoted.",
    ]


def _hits(counts: dict[str, int]) -> list[bool]:
    return [i < counts["right"] for i in range(counts["n"])]


def _lines(split: str) -> list[str]:
    return (HERE / "data" / f"{split}.jsonl").read_text("utf-8").splitlines()


def main() -> None:
    """Run both commands, then sum up."""
    data = pytest("suites/data", "--train-with", "qlora")
    model = pytest("suites/model", "--model", "latest", "--promote", "production")
    run = find_finished(StateDir(ROOT), "latest")
    console.print("\n[bold]What happened[/bold]")
    for line in told(run, scorecard(run)):
        console.print(f"  {line}")
    console.print(f"  Data suite and training took {data:.0f} s, the model suite {model:.0f} s.")
    console.print("\n[bold]Try next[/bold]")
    console.print("  make demo                         again: only what changed is done again")
    console.print("  tunegate report                   all of it on one HTML page")
    console.print("  pytest suites/data -v             every check by its name")
    console.print("  put an e-mail address into examples/triage/data/train.jsonl, and make demo")
    console.print("  tunegate init, in your own project: the suites, yours to edit")


if __name__ == "__main__":
    main()
