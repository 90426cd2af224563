"""Accuracy on slices of the test set: a model can pass overall and fail in one language."""

from collections import defaultdict
from itertools import pairwise
from statistics import quantiles

from tunegate.results.labels import LabelRule, exact
from tunegate.results.prediction import Prediction, Predictions
from tunegate.results.score import Score, format_value, one_sided_bounds

from . import classification

LENGTH_SLICE = "length"
MIN_EXAMPLES = 30  # of a slice that a limit applies to; with fewer an interval exceeds 30 points
MAX_VALUES = 20  # of a field; one with more identifies rows rather than kinds of rows
MAX_LETTERS = 40  # of a value


def accuracy(predictions: Predictions, by: str, *, label: LabelRule = exact) -> dict[str, Score]:
    """Return accuracy per slice: `{"pt": accuracy [language=pt], ...}`, the largest slice first.

    `by` is a field of the test examples (`language`, or any other), or `length`: the number of
    words in the prompt, in four parts of about the same size. Examples without the field are the
    slice `(none)`. Raises ValueError for a field that no example has, naming those there are.
    """
    groups: defaultdict[str, list[Prediction]] = defaultdict(list)
    for p, value in zip(predictions, _slice_values(predictions, by), strict=True):
        groups[value].append(p)
    scores: dict[str, Score] = {}
    for value, rows in sorted(groups.items(), key=lambda item: -len(item[1])):
        scores[value] = classification.accuracy(Predictions(rows), label=label)
        scores[value].name = f"accuracy [{by}={value}]"
    return scores


def _slice_values(predictions: Predictions, by: str) -> list[str]:
    """Return the slice of each prediction; raises ValueError for a field that none has."""
    if by != LENGTH_SLICE:
        if len(predictions) and not any(by in p.fields for p in predictions):
            names = [LENGTH_SLICE, *sorted({name for p in predictions for name in p.fields})]
            raise ValueError(f"no test example has a field {by!r}; there is {', '.join(names)}")
        values = [p.fields.get(by) for p in predictions]
        return ["(none)" if value is None else str(value) for value in values]
    if len(set(word_counts := [len(p.prompt.split()) for p in predictions])) < 2:
        return ["all alike"] * len(word_counts)
    cuts = sorted({int(cut) for cut in quantiles(word_counts, n=4)})
    names = [f"up to {cuts[0]} words"]
    names += [f"{low + 1}-{high} words" for low, high in pairwise(cuts)]
    names.append(f"over {cuts[-1]} words")
    return [names[sum(n > cut for cut in cuts)] for n in word_counts]


def fields(predictions: Predictions) -> list[str]:
    """Return what the examples can be sliced by: fields of 2 to 20 short values, and `length`."""
    values_of: defaultdict[str, set[str]] = defaultdict(set)
    excluded: set[str] = set()
    for p in predictions:
        for name, value in p.fields.items():
            values_of[name].add(str(value))
            if not isinstance(value, str | bool | int | None) or len(str(value)) > MAX_LETTERS:
                excluded.add(name)
    names = {name for name, values in values_of.items() if 1 < len(values) <= MAX_VALUES}
    lengths = {len(p.prompt.split()) for p in predictions}
    return [*sorted(names - excluded), *([LENGTH_SLICE] if len(lengths) > 1 else [])]


def worst(
    predictions: Predictions, *, label: LabelRule = exact, least: int = MIN_EXAMPLES
) -> Score:
    """Return the accuracy of the worst slice, of those of at least `least` examples.

    By every field and by length. The detail is a table of all slices; smaller ones are in it,
    marked, and no limit applies to them. Where no slice is large enough it is the accuracy of all
    rows. The worst of many slices is by chance a little worse than it would be on new examples: its
    limit should be lower than that of accuracy itself.
    """
    groups = (accuracy(predictions, by, label=label) for by in fields(predictions))
    slices = [s for scores in groups for s in scores.values()]
    large = [s for s in slices if s.n >= least]
    if (score := min(large, key=lambda s: (float(s), -s.n), default=None)) is None:
        score = classification.accuracy(predictions, label=label)
        score.name = f"accuracy [no slice of {least}]"
    score.best_case = min((s.best_case for s in large), default=score.best_case)
    # Each slice must hold the limit: R. L. Berger (1982), Technometrics 24:295-300, theorem 1.
    bounds = [one_sided_bounds(s, ">=") for s in large or [score]]
    score.lower, score.best_case_lower = map(min, zip(*bounds, strict=True))
    floor = min((float(s) for s in large), default=0.0)
    lines, hints = list[str](), list[str]()
    for s in slices:
        value, low, high = (format_value(x, True) for x in (float(s), s.low, s.high))
        line = f"{s.name:<36.36}  {value:>6}  {low:>6} - {high:>6}  {s.n:>5,}"
        lines.append(line if s.n >= least else f"{line}  fewer than {least}: held to nothing")
        # A small slice that is worse than every large one needs more examples.
        if s.n < least and float(s) < floor:
            hints.append(f"{s.name} is {value} on {s.n:,}: too few to hold to a limit")
    score.detail, score.hints = "\n".join(lines), tuple(hints)
    return score
