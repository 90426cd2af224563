"""How often does a model that is exactly as good as the limit pass in `mode = "lower"`?

    python benchmarks/false_passes.py [--repetitions 2000] [--n 10 30 45] [--markdown]

By its word a bound passes such a model 5 % of the time at most. Each row is one score on one family
of models; each number is the share of simulated test sets on which the model passes, and behind it,
in brackets, the one-sided 95 % upper bound of that share (Clopper & Pearson), which must be 6 % at
most. Counted scores are simulated five times as often, since their bounds hang on counts alone.
The bounds are those of the product: `stats.resampled_sums` with the rows that each metric adds.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tunegate.results.prediction import Prediction, Predictions
from tunegate.results.score import clopper_pearson
from tunegate_checks import stats
from tunegate_checks.model import classification, overlap
from tunegate_checks.model.metric import Metric
from tunegate_checks.stats import Units

Array = npt.NDArray[Any]
# From random numbers, n and the number of test sets: which of them the model passes.
Family = Callable[[np.random.Generator, int, int], Array]

SIZES = (10, 30, 45, 60, 100, 200, 500)
MOST = 0.06
BATCH = 100  # test sets that are resampled at once
SENTENCES = (
    "the parcel leaves our store tomorrow morning",
    "your refund was sent to the bank today",
    "please restart the router and wait a minute until the light is green again",
    "we have opened a ticket for the technician",
    "the invoice is attached to this message",
)
_any = Metric("", lambda p: np.zeros((len(p), 1)), stats.average)


def passed(bounds: Array, truth: float) -> Array:
    """Tell which bounds reach the limit, which is the truth."""
    reached: Array = bounds >= truth - 1e-12
    return reached


def lower_bounds(metric: Metric, rows: Array, units: Units) -> Array:
    """Return the lower bound of each test set: (n, sets, k) statistics in, (sets,) out."""
    n, sets, k = rows.shape
    found = []
    for start in range(0, sets, BATCH):
        batch = rows[:, start : start + BATCH]
        added = np.stack([metric.extremes(batch[:, i])[0] for i in range(batch.shape[1])], axis=1)
        sums = stats.resampled_sums(
            batch.reshape(n, -1), units=units, added=added.reshape(len(added), -1)
        )
        scores = metric.combine(sums.reshape(len(sums), -1, k), n)
        found.append(np.quantile(scores, 0.05, axis=0))
    return np.concatenate(found)


def grouped(sizes: Array) -> Units:
    """Return the units of rows that stand in groups of these sizes."""
    of_row = np.repeat(np.arange(len(sizes)), sizes)
    return Units(int(sizes.sum()), len(sizes), of_row, np.ones(len(of_row)))


def sizes_of(n: int, most: int) -> Array:
    """Return group sizes 1, 2, ... `most`, 1, 2, ... that add up to n."""
    sizes = np.resize(np.arange(1, most + 1), n)
    sizes = sizes[np.cumsum(sizes) <= n]
    rest = n - int(sizes.sum())
    return np.append(sizes, rest) if rest else sizes


def single(n: int) -> Units:
    """Return the units of rows that are all independent."""
    return Units(n, n)


# Shares: accuracy, valid JSON, code that parses, a judge's verdicts, flips.


def share(p: float, random: np.random.Generator, n: int, sets: int) -> Array:
    """Independent rows, right with probability p."""
    bound = np.array([clopper_pearson(hits, n) for hits in range(n + 1)])
    return passed(bound[random.binomial(n, p, 5 * sets)], p)


def clustered(
    p: float, most: int, same: float, random: np.random.Generator, n: int, sets: int
) -> Array:
    """Groups of 1 to `most` rows; with probability `same` a row is as its whole group is."""
    units = grouped(sizes_of(n, most))
    assert units.of_row is not None
    whole = random.random((units.count, sets)) < p
    own = random.random((n, sets)) < p
    right = np.where(random.random((n, sets)) < same, whole[units.of_row], own)
    return passed(lower_bounds(_any, right[:, :, None].astype(float), units), p)


def worst_slice(random: np.random.Generator, n: int, sets: int) -> Array:
    """Four slices of which one is at the limit of 90 %: each must hold it."""
    size = max(n // 4, 1)
    bound = np.array([clopper_pearson(hits, size) for hits in range(size + 1)])
    hits = random.binomial(size, [[0.9], [0.9], [0.95], [0.99]], (4, 5 * sets))
    return passed(bound[hits].min(axis=0), 0.9)


# Means of values in [0, 1]: ROUGE, JSON fields, a judge's marks, wins and ties.


def mean_of(
    draw: Callable[[np.random.Generator, tuple[int, int]], Array],
    truth: float,
    random: np.random.Generator,
    n: int,
    sets: int,
) -> Array:
    """Independent rows with values of this distribution."""
    return passed(lower_bounds(_any, draw(random, (n, 2 * sets))[:, :, None], single(n)), truth)


def _perfect_or(
    low: float, high: float, random: np.random.Generator, size: tuple[int, int]
) -> Array:
    return np.where(random.random(size) < 0.9, 1.0, random.uniform(low, high, size))


def _of_three(ties: float, random: np.random.Generator, size: tuple[int, int]) -> Array:
    return random.choice([0, 0.5, 1], size, p=[(1 - ties) / 2, ties, (1 - ties) / 2])


# Macro-F1, by classes of these shares that are right with these probabilities.


def macro_f1(
    shares: tuple[float, ...],
    right: tuple[float, ...],
    most: int,
    random: np.random.Generator,
    n: int,
    sets: int,
) -> Array:
    """Rows of random classes, all of which occur; a wrong answer is any other class.

    Rows stand in groups of 1 to `most` that have one class, and are right or wrong together.
    """
    k, p = len(shares), np.array(right)
    true = np.array(shares) * p
    wrong = np.array(shares) * (1 - p) / (k - 1)
    answered = true + wrong.sum() - wrong
    truth = float((2 * true / (answered + shares)).mean())
    units = grouped(sizes_of(n, most)) if most > 1 else single(n)
    at = np.arange(n) if units.of_row is None else units.of_row
    classes = random.choice(k, (units.count, sets), p=shares)
    # A class that the test set lacks is none of the score's classes.
    classes = classes[:, [len(set(column)) == k for column in classes.T.tolist()]]
    if classes.shape[1] < sets // 20:
        return np.zeros(0, dtype=bool)
    is_right = random.random(classes.shape) < p[classes]
    got = np.where(is_right, classes, (classes + random.integers(1, k, classes.shape)) % k)[at]
    expected = classes[at]
    eye = np.eye(k)
    rows = np.stack([eye[expected] * eye[got], eye[got], eye[expected]], axis=2)
    metric = classification.averaged("F1", "macro")
    return passed(lower_bounds(metric, rows.reshape(n, -1, 3 * k), units), truth)


# chrF: perfect answers and others.


@cache
def _chrf() -> tuple[Metric, Array]:
    """Return chrF, and the statistics of each sentence: perfect, another one, and letters alone."""
    metric = overlap.chrf()
    answers = [SENTENCES, (*SENTENCES[1:], SENTENCES[0]), ["qqq zzz xxx"] * len(SENTENCES)]
    rows = [
        metric.statistics(Predictions([Prediction(0, 1, "", s, a)]))[0]
        for kind in answers
        for s, a in zip(SENTENCES, kind, strict=True)
    ]
    return metric, np.array(rows).reshape(3, len(SENTENCES), -1)


def chrf(perfect: float, bad: int, random: np.random.Generator, n: int, sets: int) -> Array:
    """Answers that are perfect with this probability, else another sentence (1) or letters (2)."""
    metric, rows = _chrf()
    expected = perfect * rows[0].mean(axis=0) + (1 - perfect) * rows[bad].mean(axis=0)
    truth = float(metric.combine(expected, 1))
    kinds = np.where(random.random((n, sets)) < perfect, 0, bad)
    drawn = rows[kinds, random.integers(0, len(SENTENCES), (n, sets))]
    return passed(lower_bounds(metric, drawn, single(n)), truth)


# Paired differences of accuracy: improvement, margin, forgetting.


@cache
def _p(gained: int, lost: int, n: int, margin: float) -> float:
    return stats.not_inferior_p(gained, lost, n, margin)


def flips(margin: float, gains: float, random: np.random.Generator, n: int, sets: int) -> Array:
    """Independent rows, of which `gains` are won and `gains` + margin lost."""
    counts = random.multinomial(n, [gains, gains + margin, 1 - 2 * gains - margin], 2 * sets)
    return np.array([_p(gained, lost, n, margin) <= 0.05 for gained, lost, _ in counts.tolist()])


def grouped_flips(
    margin: float, gains: float, random: np.random.Generator, n: int, sets: int
) -> Array:
    """Groups of 1 to 4 rows that are won or lost together."""
    units = grouped(sizes_of(n, 4))
    shares = [gains, gains + margin, 1 - 2 * gains - margin]
    change = random.choice([1.0, -1.0, 0.0], (units.count, sets), p=shares)[units.of_row]
    metric = Metric(
        "",
        _any.statistics,
        stats.average,
        extremes=lambda _: (np.array([[-1.0]]), np.array([[1.0]])),
    )
    return passed(lower_bounds(metric, change[:, :, None], units), -margin)


FAMILIES: dict[str, Family] = {
    "share, 90 % right": partial(share, 0.9),
    "share, 95 % right": partial(share, 0.95),
    "share, 99 % right": partial(share, 0.99),
    "share, groups of 1-4, alike": partial(clustered, 0.9, 4, 1.0),
    "share, groups of 1-4, half alike": partial(clustered, 0.9, 4, 0.5),
    "share, groups of 1-9, alike": partial(clustered, 0.9, 9, 1.0),
    "share, each row once or twice": partial(clustered, 0.95, 2, 1.0),
    "worst of four slices": worst_slice,
    "mean, 90 % perfect, others 0.1": partial(mean_of, partial(_perfect_or, 0.1, 0.1), 0.91),
    "mean, 90 % perfect, others 0-1": partial(mean_of, partial(_perfect_or, 0, 1), 0.95),
    "mean, beta(1/2, 1/2)": partial(mean_of, lambda r, size: r.beta(0.5, 0.5, size), 0.5),
    "mean, beta(8, 2)": partial(mean_of, lambda r, size: r.beta(8, 2, size), 0.8),
    "win rate, 20 % ties": partial(mean_of, partial(_of_three, 0.2), 0.5),
    "win rate, 90 % ties": partial(mean_of, partial(_of_three, 0.9), 0.5),
    "macro-F1, 2 balanced classes": partial(macro_f1, (0.5, 0.5), (0.95, 0.95), 1),
    "macro-F1, 90 and 10 %": partial(macro_f1, (0.9, 0.1), (0.97, 0.9), 1),
    "macro-F1, 50, 30, 15, 5 %": partial(macro_f1, (0.5, 0.3, 0.15, 0.05), (0.93,) * 4, 1),
    "macro-F1, 70, 20, 7, 3 %": partial(
        macro_f1, (0.7, 0.2, 0.07, 0.03), (0.97, 0.95, 0.9, 0.9), 1
    ),
    "macro-F1, groups of 1-3": partial(macro_f1, (0.6, 0.4), (0.95, 0.9), 3),
    "chrF, 90 % perfect, others letters": partial(chrf, 0.9, 2),
    "chrF, 90 % perfect, others a sentence": partial(chrf, 0.9, 1),
    "difference, margin 5, no gains": partial(flips, 0.05, 0.0),
    "difference, margin 5, 1 % gains": partial(flips, 0.05, 0.01),
    "difference, margin 3, no gains": partial(flips, 0.03, 0.0),
    "difference, margin 3, 5 % gains": partial(flips, 0.03, 0.05),
    "difference, margin 0, 2 % gains": partial(flips, 0.0, 0.02),
    "difference, margin 5, groups of 1-4": partial(grouped_flips, 0.05, 0.02),
}


def rates(n: int, sets: int) -> Iterator[tuple[str, float, float]]:
    """Yield each family with its share of passes at this n, and the upper bound of that share.

    NaN for a family that such small test sets cannot have.
    """
    for number, (name, family) in enumerate(FAMILIES.items()):
        passes = family(np.random.default_rng([n, number]), n, sets)
        failed, total = int((~passes).sum()), len(passes)
        yield name, 1 - failed / total if total else math.nan, 1 - clopper_pearson(failed, total)


def main() -> int:
    """Print the table; return 1 where a bound breaks its word."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=2_000)
    parser.add_argument("--n", type=int, nargs="+", default=SIZES)
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    table: dict[str, list[str]] = {name: [] for name in FAMILIES}
    broken = 0
    for n in args.n:
        for name, rate, most in rates(n, args.repetitions):
            broken += most > MOST
            cell = "-" if math.isnan(rate) else f"{rate:.1%} ({most:.1%})"
            table[name].append(cell)
        print(f"n = {n} done", file=sys.stderr, flush=True)
    if args.markdown:
        print("| " + " | ".join(["family", *(f"n = {n}" for n in args.n)]) + " |")
        print("| --- |" + " --- |" * len(args.n))
        for name, cells in table.items():
            print("| " + " | ".join([name, *cells]) + " |")
    else:
        print(f"{'':<40}" + "".join(f"{n:>15}" for n in args.n))
        for name, cells in table.items():
            print(f"{name:<40}" + "".join(f"{cell:>15}" for cell in cells))
    print(f"{broken} of {len(args.n) * len(FAMILIES)} above {MOST:.0%}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
