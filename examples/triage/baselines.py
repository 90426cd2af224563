"""What simple means reach on the test set.

    python examples/triage/baselines.py

So that nobody takes the tiny model for a wonder: it has to be held against these.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tunegate.results.score import wilson

Split = tuple[list[str], list[str]]


def read(path: Path) -> Split:
    """The tickets of a split, and their labels."""
    rows = [json.loads(line)["messages"] for line in path.read_text("utf-8").splitlines()]
    return [row[1]["content"] for row in rows], [row[2]["content"] for row in rows]


def majority(train: Split, test: Split) -> list[bool]:
    """Always the label that is the most common in train."""
    label, _ = Counter(train[1]).most_common(1)[0]
    return [expected == label for expected in test[1]]


def tfidf(train: Split, test: Split) -> list[bool]:
    """Words and pairs of words, weighted, and a logistic regression on them."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, strip_accents="unicode")
    model = make_pipeline(words, LogisticRegression(C=10.0, max_iter=1000))
    model.fit(*train)
    got = model.predict(test[0])
    return [bool(pair[0] == pair[1]) for pair in zip(got, test[1], strict=True)]


def show(name: str, right: list[bool]) -> str:
    """One line: the accuracy with its n and its interval."""
    low, high = wilson(sum(right), len(right))
    accuracy = sum(right) / len(right)
    return f"{name:<28} {accuracy:6.1%}  n={len(right)}  95 % interval {low:.1%} to {high:.1%}"


def main() -> None:
    """Print the baselines."""
    parser = argparse.ArgumentParser(description="Print simple baselines on the test set.")
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data")
    options = parser.parse_args()
    train, test = read(options.data / "train.jsonl"), read(options.data / "test.jsonl")
    print(show("majority class", majority(train, test)))
    print(show("TF-IDF, logistic regression", tfidf(train, test)))


if __name__ == "__main__":
    main()
