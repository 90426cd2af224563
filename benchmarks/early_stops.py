"""How many rows does `ask = "sequential"` ask, and how often would all rows say otherwise?

    python benchmarks/early_stops.py [--runs 2000]

Each cell is a model of one true accuracy, held to 95 % on simulated test sets of n rows: the mean
share of the rows that is asked, the 90th percentile, and how often the verdict on all rows is
another. In mode "lower" it is how often the model passes, and how often on all rows. The boundaries
are the product's, at its looks. A model exactly at the limit must not fail early in more than 5 %
of the test sets that pass, nor pass early in more than 1 % of those that fail. The last rows are
claims about two models: the share asked, how often the claim is shown, and how often on all rows.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tunegate.results.outcome import Mode
from tunegate_checks.model.stopping import (
    ALPHA_EARLY,
    ALPHA_LEFT,
    FALSE_FAIL,
    certain,
    evidence,
    sign_test,
    spending,
)
from tunegate_checks.stats import errors_in_all, not_inferior_p

LIMIT = 0.95
SIZES = (200, 480, 1_000, 2_000)
ACCURACIES = (0.80, 0.90, 0.93, 0.95, 0.97, 0.99)


class Measured(NamedTuple):
    """Shares of the rows that are asked, and of the test sets of which something holds."""

    asked: float
    asked_90: float  # in one run of ten it is more
    passes: float
    passes_all: float  # where all rows are asked
    false_passes: float
    false_fails: float


def looks_of(n: int) -> tuple[int, ...]:
    """Return after how many rows one looks, as `predict_until` does."""
    size = max(20, -(-n // 50))
    return (*range(size, n, size), n)


def measure(
    wrong_rows: npt.NDArray[np.bool_], mode: Mode, *, is_sequential: bool = True
) -> Measured:
    """Return what becomes of test sets: which rows of each, in a random order, are wrong."""
    n, looks = wrong_rows.shape[1], looks_of(wrong_rows.shape[1])
    allowed = errors_in_all(n, LIMIT, mode)
    bounds = certain(n, allowed, looks)
    if is_sequential:
        bounds = spending(n, allowed, looks, LIMIT if mode == "lower" else None)
    wrong = wrong_rows.cumsum(axis=1)[:, np.array(looks) - 1]
    passes, fails = wrong <= np.array(bounds[0]), wrong >= np.array(bounds[1])
    first = (passes | fails).argmax(axis=1)
    passed, truth = passes[np.arange(len(wrong)), first], wrong[:, -1] <= allowed
    asked = np.array(looks)[first] / n
    shares = asked, passed, truth, passed & ~truth, truth & ~passed
    mean, *others = (float(share.mean()) for share in shares)
    return Measured(mean, float(np.quantile(asked, 0.9)), *others)


def drawn(n: int, accuracy: float, runs: int) -> npt.NDArray[np.bool_]:
    """Return test sets of a model of this true accuracy."""
    wrong: npt.NDArray[np.bool_] = np.random.default_rng(n).random((runs, n)) >= accuracy
    return wrong


def shuffled(n: int, wrong: int, runs: int) -> npt.NDArray[np.bool_]:
    """Return one test set with so many wrong rows, in random orders."""
    rows = np.tile(np.arange(n) < wrong, (runs, 1))
    return np.random.default_rng(n).permuted(rows, axis=1)


class Claimed(NamedTuple):
    """Shares of the rows that are asked, and of the runs in which a claim is shown."""

    asked: float
    asked_90: float  # in one run of ten it is more
    shown: float
    shown_all: float  # where all rows are asked, at 5 %


def compare_pairs(n: int, difference: float, margin: float | None, runs: int) -> Claimed:
    """Return what becomes of claims about two models of which one is better by `difference`.

    One alone is right on one of ten rows. Decided as by `stopping`, where no answer is missing.
    """
    looks, m = looks_of(n), margin or 0.0
    ends, rng = np.array(looks) - 1, np.random.default_rng(n)
    asked, shown, shown_all = [], 0, 0
    for _ in range(runs):
        kind = rng.choice(3, n, p=[0.05 + difference / 2, 0.05 - difference / 2, 0.9])
        gained, lost = ((kind == k).cumsum()[ends] for k in (0, 1))
        flips = [*map(int, gained + lost)]
        most_lost = sign_test(flips, looks, n) if margin is None else flips
        for t, g, lo, few in zip(looks, map(int, gained), map(int, lost), most_lost, strict=True):
            if t == n:
                passed = not_inferior_p(g, lo, n, m) <= ALPHA_LEFT
            elif margin is None:
                passed = lo <= few
            else:
                passed = evidence(g, lo, t, margin) >= 1 / ALPHA_EARLY
            aim = 0.03 if margin is None else 0.0
            if t == n or passed or evidence(lo, g, t, aim) >= 1 / FALSE_FAIL:
                break
        asked.append(t / n)
        shown += passed
        shown_all += not_inferior_p(int(gained[-1]), int(lost[-1]), n, m) <= 0.05
    mean, high = float(np.mean(asked)), float(np.quantile(asked, 0.9))
    return Claimed(mean, high, shown / runs, shown_all / runs)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    runs = parser.parse_args().runs
    print("| true accuracy | " + " | ".join(f"n = {n:,}" for n in SIZES) + " |")
    print("| --- " * (len(SIZES) + 1) + "|")
    modes: tuple[Mode, ...] = ("point", "lower")
    for mode in modes:
        for accuracy in ACCURACIES:
            cells = [measure(drawn(n, accuracy, runs), mode) for n in SIZES]
            texts = [
                f"{c.asked:.0%} ({c.asked_90:.0%}), {c.false_passes + c.false_fails:.1%}"
                if mode == "point"
                else f"{c.asked:.0%} ({c.asked_90:.0%}), {c.passes:.1%} ({c.passes_all:.1%})"
                for c in cells
            ]
            print(f"| {mode}, {accuracy:.0%} | " + " | ".join(texts) + " |")
    for accuracy in ACCURACIES:
        cells = [measure(drawn(n, accuracy, runs), "point", is_sequential=False) for n in SIZES]
        print(f"| certain, {accuracy:.0%} | " + " | ".join(f"{c.asked:.0%}" for c in cells) + " |")
    for over, name in ((1, "one wrong row too many, passes"), (0, "as many as pass, fails")):
        cells = []
        for n in SIZES:
            allowed = errors_in_all(n, LIMIT, "point") + over
            cells.append(measure(shuffled(n, allowed, 5 * runs), "point"))
        worst = (c.false_passes if over else c.false_fails for c in cells)
        print(f"| {name} | " + " | ".join(f"{share:.1%}" for share in worst) + " |")
    for margin, claim in ((None, "better"), (0.03, "not worse by 3 points")):
        for difference in (-0.05, -0.03, 0.0, 0.03, 0.06):
            claims = [compare_pairs(n, difference, margin, runs) for n in SIZES]
            shown = " | ".join(
                f"{c.asked:.0%} ({c.asked_90:.0%}), {c.shown:.1%} ({c.shown_all:.1%})"
                for c in claims
            )
            print(f"| {claim}, {100 * difference:+.0f} points | {shown} |")


if __name__ == "__main__":
    main()
