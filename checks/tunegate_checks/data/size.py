"""Size: are there enough examples to learn from, and enough to tell a good model from a bad one?

The minimum sizes are working values of the trade, not theorems: OpenAI's guide asks for 50 to 100
good examples before anything shows; LIMA (Zhou et al. 2023, arXiv:2305.11206) taught a style with
1,000. What a test set can show is arithmetic: the binomial distribution, exactly.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from tunegate.checking.decorator import check
from tunegate.data.dataset import Dataset
from tunegate.results.finding import Finding

from ..text.display import quote_repr
from ..text.label_typos import typo_notes

# Per task: the least number of training examples, and a good one. Per class, for classification.
SIZES = {
    "style": (100, 500),
    "qa": (500, 2_000),
    "classification": (200, 1_000),
    "code": (1_000, 5_000),
}


@check(name="size")
def find(train: Dataset, *, task: str, per_class: int | None = None) -> Iterator[Finding]:
    """The training set has the least number of examples that its task needs.

    style 100, qa 500, classification 200 per class, or `per_class`, code 1,000. Raises ValueError
    for another task. Below the good value (500, 2,000, 1,000 per class, 5,000) a hint says so.
    """
    if task not in SIZES:
        raise ValueError(f"task is {task!r}; one of {', '.join(SIZES)} is valid")
    minimum, good = SIZES[task]
    if task == "classification":
        minimum = minimum if per_class is None else per_class
        counts = Counter(example.label for example in train if example.label)
        label_notes = typo_notes(counts)
        sizes = {
            f"class {quote_repr(label)}{label_notes[label]}": n for label, n in counts.most_common()
        }
        sizes = sizes or {"every class": 0}
    else:
        sizes = {f"the {train.split or 'training'} set": len(train)}
    for subject, n in sizes.items():
        if n < minimum:
            count_text = f"{n:,} example{'s' * (n != 1)}"
            yield _dataset_finding(
                f"{subject} has {count_text}; {minimum - n:,} more needed for {task}", hint=False
            )
    below_good = {subject: n for subject, n in sizes.items() if minimum <= n < good}
    if below_good:
        subject, n = min(below_good.items(), key=lambda item: item[1])
        more = (
            f" ({len(below_good) - 1} other classes are short too)" if len(below_good) > 1 else ""
        )
        yield _dataset_finding(
            f"{subject} has {n:,} examples{more}: enough to start; {good:,} is good for {task}"
        )


@check(name="size.test_size")
def test_size(test: Dataset, *, smallest: int = 100) -> Iterator[Finding]:  # noqa: PT028 - no test
    """The test set has at least `smallest` examples: of fewer than 100, one is over a point."""
    if len(test) < smallest:
        lacking = smallest - len(test)
        evidence = f"the test set has {len(test):,} examples; {lacking:,} more needed"
        yield Finding(None, None, "too few", evidence)


test_size.__test__ = False  # type: ignore[attr-defined]  # nor does pytest take it for one


@check(name="size.resolution")
def resolution(test: Dataset, limit: float, *, worse: float = 0.03) -> Iterator[Finding]:
    """Hints on what a test set of this size can show about `accuracy >= limit`.

    How often a model that is `worse` than the limit would pass; how small a difference between
    two models can be seen; how few errors prove the limit. Exact binomial arithmetic: Clopper and
    Pearson (1934), Biometrika 26:404-413; McNemar (1947), Psychometrika 12:153-157.
    """
    n = len(test)
    if n == 0 or not 0 < limit < 1:
        return
    weaker_accuracy = max(limit - worse, 0.0)
    pass_rate = wrong_pass_rate(n, limit, weaker_accuracy)
    evidence = f"a model that is right {_percent(weaker_accuracy)} of the time passes accuracy >= {limit:g}"
    enough = examples_needed(limit, weaker_accuracy)
    remedy = "" if pass_rate <= 0.05 else f"; about {enough:,} examples would make it 5 %"
    yield _dataset_finding(
        f"{evidence} on {_percent(pass_rate)} of such test sets{remedy}", "resolution"
    )
    yield _dataset_finding(_difference_text(n, limit), "resolution")
    yield _dataset_finding(_proof_text(n, limit), "resolution")


def _difference_text(n: int, limit: float) -> str:
    # Apart: 5 %, two-sided, with 80 % power (normal approximation). Row by row: exact McNemar needs
    # 6 rows to differ, all one way, since 2 x 0.5^6 is the first such p below 0.05.
    min_difference = (1.96 + 0.8416) * math.sqrt(2 * limit * (1 - limit) / n)
    paired = f"row by row, at least 6 rows ({_percent(min(6 / n, 1))}), all one way"
    return f"scored apart, two models must differ by {100 * min_difference:.2g} points; {paired}"


def _proof_text(n: int, limit: float) -> str:
    errors = errors_allowed(n, limit)
    if errors < 0:
        needed_n = math.ceil(math.log(0.05) / math.log(limit))
        claim = f"accuracy >= {limit:g} cannot be proved (95 %, one-sided) on {n:,} examples"
        return f"{claim}; with none of {needed_n:,} wrong, it is"
    wrong = f"{errors} or fewer" if errors else "none"
    return f"with {wrong} of {n:,} wrong, accuracy >= {limit:g} is proved (95 %, one-sided)"


def wrong_pass_rate(n: int, limit: float, accuracy: float) -> float:
    """Return how often a model of this true accuracy scores `limit` or more on n examples."""
    from scipy.stats import binom

    return float(binom.sf(math.ceil(limit * n - 1e-9) - 1, n, accuracy))


def errors_allowed(n: int, limit: float, confidence: float = 0.95) -> int:
    """Return the most errors in n whose one-sided lower bound is still `limit`; -1 for none."""
    from scipy.stats import binom

    # The bound is at least `limit` where so few errors would be a surprise at accuracy = limit.
    errors = int(binom.ppf(1 - confidence, n, 1 - limit))
    while errors >= 0 and binom.cdf(errors, n, 1 - limit) > 1 - confidence:
        errors -= 1
    return errors


def examples_needed(limit: float, accuracy: float, risk: float = 0.05) -> int:
    """Return about how many examples let a model of this accuracy pass at most at `risk`.

    About: the risk falls in steps, as one error more is allowed, and steps back up a little.
    """
    low, high = 1, 1
    while wrong_pass_rate(high, limit, accuracy) > risk and high < 10**7:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if wrong_pass_rate(middle, limit, accuracy) > risk else (low, middle)
        )
    return high


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.3g} %"


def _dataset_finding(evidence: str, kind: str = "too few", hint: bool = True) -> Finding:
    return Finding(None, None, kind, evidence, hint=hint)
