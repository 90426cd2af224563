"""Hints at wrong labels on real sets with some labels swapped: how many are right, how many found.

    python benchmarks/label_errors.py FOLDER_WITH_BANKING77 [--only ours]

Of banking77's training set and of examples/triage, 0, 1, 3 and 10 % of the labels are swapped for
another one at random. Beside `labels.errors` stands confident learning's plain rule, on logistic
regression over five folds. At 0 % no hint is known to be right; banking77 has errors of its own,
which count as wrong here.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tunegate import Dataset
from tunegate_checks.data import labels

ROOT = Path(__file__).resolve().parents[1]
SHARES = (0.0, 0.01, 0.03, 0.1)
Rows = list[tuple[str, str]]


def banking77(source: Path) -> Rows:
    """Return the questions of banking77's training set with their intents."""
    with open(source / "banking77_train.csv", newline="", encoding="utf-8") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def triage() -> Rows:
    """Return the tickets of the demo, whose labels are true by construction."""
    dataset = Dataset.read(ROOT / "examples" / "triage" / "data" / "train.jsonl", "train")
    return [(example.prompt, example.label) for example in dataset]


def swap(rows: Rows, share: float) -> tuple[Rows, set[int]]:
    """Return the rows with a share of the labels swapped, and the indices of these."""
    rng, names = random.Random(f"swap {share}"), sorted({label for _, label in rows})
    swapped = set(rng.sample(range(len(rows)), round(share * len(rows))))
    changed = [
        (text, rng.choice([name for name in names if name != label]) if i in swapped else label)
        for i, (text, label) in enumerate(rows)
    ]
    return changed, swapped


def ours(rows: Rows) -> set[int]:
    """Return the rows that `labels.errors` hints at."""
    turns = [(("user", text), ("assistant", label)) for text, label in rows]
    dataset = Dataset.of(
        [{"messages": [{"role": r, "content": c} for r, c in turn]} for turn in turns], "train"
    )
    return {hint.row for hint in labels.errors(dataset).hints if hint.row is not None}


def confident_learning(rows: Rows) -> set[int]:
    """Return the rows off the diagonal of the confident joint, by logistic regression."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    names = sorted({label for _, label in rows})
    given = np.array([names.index(label) for _, label in rows])
    words = TfidfVectorizer(sublinear_tf=True).fit_transform([text.lower() for text, _ in rows])
    odds = cross_val_predict(
        LogisticRegression(max_iter=200), words, given, cv=5, method="predict_proba"
    )
    means = np.array([odds[given == k, k].mean() for k in range(len(names))])
    best = np.where(odds >= means, odds, 0.0)
    doubted = (best.max(axis=1) > 0) & (best.argmax(axis=1) != given)
    return set(np.flatnonzero(doubted).tolist())


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Hints at wrong labels, on swapped labels.")
    parser.add_argument("source", type=Path, help="the folder with banking77_train.csv")
    parser.add_argument("--only", default="", help="only the ways with this in their name")
    return parser.parse_args()


def report(name: str, rows: Rows, ways: Sequence[tuple[str, Callable[[Rows], set[int]]]]) -> None:
    """Print one line for each share of swapped labels and each way to find them."""
    for share in SHARES:
        changed, swapped = swap(rows, share)
        for way, find in ways:
            start = time.process_time()
            found = find(changed)
            right, seconds = len(found & swapped), time.process_time() - start
            precision = f"{right / len(found):6.2f}" if found and swapped else "     -"
            recall = f"{right / len(swapped):6.2f}" if swapped else "     -"
            print(
                f"{name:10} {share:5.0%} swapped  {way:20} {len(found):6,} hints "
                f"precision {precision}  recall {recall}  {seconds:6.1f} CPU-s",
                flush=True,
            )


def main() -> None:
    """Print the table."""
    said = options()
    ways = [("ours", ours), ("confident learning", confident_learning)]
    chosen = [(name, find) for name, find in ways if said.only in name]
    report("triage", triage(), chosen)
    report("banking77", banking77(said.source), chosen)


if __name__ == "__main__":
    main()
