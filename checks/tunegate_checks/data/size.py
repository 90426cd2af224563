"""Size: enough examples to learn from, and enough to tell a good model from a bad one.

The minimum sizes are rules of thumb: OpenAI's guide asks for 50 to 100 good examples before any
effect shows; LIMA (Zhou et al. 2023, arXiv:2305.11206) taught a style with 1,000. What a test set
can show is computed exactly, from the binomial distribution.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tunegate import Dataset, Finding, check

from ..stats import RISK, errors_allowed, examples_needed, pass_rate, visible_difference
from ..text.label_typos import class_names
from .consistency import no_classes

# Per task: the least number of training examples, and a good number; of the first two: per class.
SIZES = {
    "classification": (200, 1_000), "multilabel": (200, 1_000),
    "extraction": (500, 2_000), "tools": (500, 2_000), "qa": (500, 2_000), "chat": (500, 2_000),
    "text": (100, 500), "style": (100, 500),  # the name of `text` until 0.2
    "code": (1_000, 5_000),
}  # fmt: skip


@check(name="size")
def find(train: Dataset, *, task: str, per_class: int | None = None) -> Iterator[Finding]:
    """Yield a finding where the training set, or a class of it, has too few examples for its task.

    SIZES has the minimum and the good number, below which a hint says so. `per_class` is another
    minimum, per class or in all as the task's is. A task not in SIZES raises ValueError.
    """
    if task not in SIZES:
        raise ValueError(f"task is {task!r}; one of {', '.join(SIZES)} is valid")
    minimum, good = SIZES[task]
    minimum = minimum if per_class is None else per_class
    if task in ("classification", "multilabel"):
        if evidence := no_classes(train):
            yield Finding.of_dataset("labels", evidence)
            return
        counts = Counter(label for example in train for label in example.labels)
        names = class_names(counts)
        sizes = {names[c]: n for c, n in counts.most_common()} or {"every class": 0}
    else:
        sizes = {f"the {train.split or 'training'} set": len(train)}
    for subject, n in sizes.items():
        if n < minimum:
            count_text = f"{n:,} example{'s' * (n != 1)}"
            evidence = f"{subject} has {count_text}; {minimum - n:,} more needed for {task}"
            yield Finding.of_dataset("too few", evidence)
    if below_good := {subject: n for subject, n in sizes.items() if minimum <= n < good}:
        subject, n = min(below_good.items(), key=lambda item: item[1])
        others = len(below_good) - 1
        more = f" (short too: {others} more)" if others else ""
        enough = "enough to start" if n >= SIZES[task][0] else "[limits] asks for no more"
        evidence = f"{subject} has {n:,} examples{more}: {enough}; {good:,} is good for {task}"
        yield Finding.dataset_hint("too few", evidence)


@check(name="size.test_size")
def enough_test_rows(test: Dataset, *, smallest: int = 100) -> Iterator[Finding]:
    """Yield a finding where the test set has fewer than `smallest` examples.

    Of fewer than 100 examples each is more than one percentage point of accuracy.
    """
    if (n := len(test)) < smallest:
        evidence = f"the test set has {n:,} examples; {smallest - n:,} more needed"
        yield Finding.of_dataset("too few", evidence)


@check(name="size.resolution")
def resolution(test: Dataset, limit: float, *, worse: float = 0.03) -> Iterator[Finding]:
    """Yield hints on what a test set of this size can show about `accuracy >= limit`.

    How often a weaker model would pass, how small a difference between two models can be seen, and
    how few errors prove the limit. The figures are those of `tunegate data plan`. The weaker
    model's true accuracy is `worse` below the limit, 0..1.
    """
    n = len(test)
    if n == 0 or not 0 < limit < 1:
        return
    weaker_accuracy = max(limit - worse, 0.0)
    wrong_pass = pass_rate(n, limit, weaker_accuracy)
    enough = examples_needed(limit, weaker_accuracy)
    remedy = "" if wrong_pass <= RISK else f"; about {enough:,} examples would make it 5 %"
    weaker = f"a model that is right {_percent(weaker_accuracy)} of the time"
    passes = f"passes accuracy >= {limit:g} on {_percent(wrong_pass)} of such test sets{remedy}"
    min_difference = visible_difference(n, 2 * limit * (1 - limit))
    # 6 rows: of exact McNemar tests, 2 x 0.5^6 is the first p below 0.05.
    paired = f"row by row, at least 6 rows ({_percent(min(6 / n, 1))}), all one way"
    apart = f"scored apart, two models must differ by {100 * min_difference:.2g} points"
    errors, claim = errors_allowed(n, limit), f"accuracy >= {limit:g}"
    if errors < 0:
        needed = math.ceil(math.log(0.05) / math.log(limit))
        proof = f"{claim} cannot be proved (95 %, one-sided) on {n:,} examples"
        proof += f"; with none of {needed:,} wrong, it is"
    else:
        wrong = f"{errors} or fewer" if errors else "none"
        proof = f"with {wrong} of {n:,} wrong, {claim} is proved (95 %, one-sided)"
    for evidence in (f"{weaker} {passes}", f"{apart}; {paired}", proof):
        yield Finding.dataset_hint("resolution", evidence)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.3g} %"


def __getattr__(name: str) -> Any:
    if name != "test_size":  # its name until 0.2: pytest took it for a test
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn("write size.enough_test_rows for size.test_size", FutureWarning, stacklevel=2)
    return enough_test_rows
