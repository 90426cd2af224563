"""Copy the example `triage` with the suites, run the whole loop in it, and sum up.

`tunegate demo [FOLDER]` runs it. Training is the plugin `qlora`'s, whose packages it needs.
"""

import filecmp
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tunegate.cli.init import copy_example, create_project
from tunegate.config.project import find_root
from tunegate.config.schema import Config, load
from tunegate.errors import ConfigError
from tunegate.results.score import wilson
from tunegate.storage.registry import Registry
from tunegate.storage.state_dir import Run, StateDir, find_finished
from tunegate.utils.files import atomic_folder

FILES = Path(__file__).parent / "triage"
WEIGHTS = "model.safetensors"


def run(folder: Path) -> int:
    """Run both suites as a user would, and sum up; return the status of the one that failed."""
    root = folder.resolve()
    config = make_project(root)
    seconds = []
    for arguments in (
        ("suites/data", "--train-with", "qlora"),
        ("suites/model", "--model", "latest", "--promote", "production"),
    ):
        print(f"\n$ pytest {' '.join(arguments)}", flush=True)
        start = time.monotonic()
        # Nothing here needs the network; this keeps libraries from trying.
        command, env = [sys.executable, "-m", "pytest", "-q"], os.environ | {"HF_HUB_OFFLINE": "1"}
        if status := subprocess.run([*command, *arguments], cwd=root, env=env).returncode:
            return status
        seconds.append(time.monotonic() - start)
    print("\nWhat happened")
    for line in summary(root, config, find_finished(StateDir(root), "latest")):
        print(f"  {line}")
    print(f"  Data suite and training took {seconds[0]:.0f} s, the model suite {seconds[1]:.0f} s.")
    named = "" if folder == Path("tunegate-demo") else f" {folder}"
    here = "" if root == Path.cwd() else f", in {folder}"
    text = Path(__file__).with_name("demo_next.txt").read_text("utf-8")
    print(text.format(folder=named, here=here, train=config.data.train), end="")
    return 0


def make_project(root: Path) -> Config:
    """Copy the demo's project into a folder, unless it is there; return its configuration.

    Raises ConfigError where the folder holds anything else.
    """
    if root.is_dir() and find_root(root) == root:
        config = load(root)
        weights = root / str(config.train.get("qlora", {}).get("base", "")) / WEIGHTS
        if weights.is_file() and filecmp.cmp(weights, FILES / "base" / WEIGHTS, shallow=False):
            return config
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConfigError(f"{root} is there and is not the demo's: name a new folder")
    with atomic_folder(root) as made:
        copy_example("triage", made)
        create_project(made)
    print(f"made  {root}: tickets in data/, a model in base/, the suites, tunegate.toml")
    return load(root)


def summary(root: Path, config: Config, run: Run) -> list[str]:
    """Return what happened in plain words, and what simple methods reach on the same rows."""
    paths = (config.data.train, config.data.validation, config.data.test)
    train, validation, test = (tickets(root / str(path)) for path in paths)
    cards = [json.loads(path.read_bytes()) for path in run.folder.glob("scorecards/*.json")]
    card = max(cards, key=lambda card: str(card["made"]))
    entry = Registry(root).current("production")
    return [
        f"{len(run.receipt['tests'])} checks passed on {len(train):,} training, "
        f"{len(validation):,} validation and {len(test):,} test tickets.",
        "Training began only then, on a snapshot of exactly these bytes.",
        share("base model, not tuned", card["baseline"]["right"], card["baseline"]["n"]),
        share("fine-tuned (QLoRA)", card["predictions"]["right"], card["predictions"]["n"]),
        share("majority class", majority_hits(train, test), len(test)),
        share("TF-IDF, logistic regression", linear_hits(train, test), len(test)),
        f"production is now run:{entry['run']}, as registry.jsonl says."
        if entry
        else "Nothing was promoted.",
    ]


def tickets(path: Path) -> list[tuple[str, str]]:
    """Return the ticket and the label of each row."""
    rows = [json.loads(line)["messages"] for line in path.read_text("utf-8").splitlines()]
    return [(row[1]["content"], row[2]["content"]) for row in rows]


def share(name: str, right: int, n: int) -> str:
    """Return one line: the accuracy of a model with its n and its interval."""
    low, high = wilson(right, n)
    return f"{name:<28} {right / n:6.1%}  n={n}  95 % interval {low:.1%} to {high:.1%}"


def majority_hits(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> int:
    """Return how many test labels are the most common label of the training rows."""
    ((label, _),) = Counter(label for _, label in train).most_common(1)
    return sum(expected == label for _, expected in test)


def linear_hits(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> int:
    """Return how many test labels a logistic regression on words and pairs of words gets right."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, strip_accents="unicode")
    model = make_pipeline(words, LogisticRegression(C=10.0, max_iter=1000))
    model.fit(*zip(*train, strict=True))
    predicted = model.predict([text for text, _ in test])
    return sum(bool(p == label) for p, (_, label) in zip(predicted, test, strict=True))
