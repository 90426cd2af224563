"""Slices: a model that is right on the whole may be wrong for those who write Portuguese."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from statistics import quantiles
from typing import Any

from tunegate.results.labels import LabelRule, exact
from tunegate.results.prediction import Prediction, Predictions
from tunegate.results.score import Score, format_value

from . import classification

LENGTH_SLICE = "length"
MIN_EXAMPLES = 30  # examples; of fewer, an interval is wider than 30 points: shown, held to nothing
MAX_VALUES = 20  # values of a field; more, and it tells rows apart, not kinds of rows


def accuracy(predictions: Predictions, by: str, *, label: LabelRule = exact) -> dict[str, Score]:
    """Return accuracy per slice: `{"pt": accuracy [language=pt], ...}`, the largest slice first.

    `by` is a field of the test examples (`language`, or any other), or `length`: the number of
    words in the prompt, in four parts of about the same size. Examples without the field are the
    slice `(none)`. Raises ValueError for a field that no example has, naming those there are.
    """
    groups = _group_by(predictions, by)
    return {
        value: _slice_accuracy(Predictions(rows), by, value, label)
        for value, rows in groups.items()
    }


def _slice_accuracy(predictions: Predictions, by: str, value: str, label: LabelRule) -> Score:
    score = classification.accuracy(predictions, label=label)
    score.name = f"accuracy [{by}={value}]"
    return score


def _group_by(predictions: Predictions, by: str) -> dict[str, list[Prediction]]:
    value = _length_value(predictions) if by == LENGTH_SLICE else _field_value(predictions, by)
    groups: defaultdict[str, list[Prediction]] = defaultdict(list)
    for p in predictions:
        groups[value(p)].append(p)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def _field_value(predictions: Predictions, by: str) -> Callable[[Prediction], str]:
    if len(predictions) and not any(by in p.fields for p in predictions):
        available = sorted({name for p in predictions for name in p.fields})
        raise ValueError(
            f"no test example has a field {by!r}; there is {', '.join([LENGTH_SLICE, *available])}"
        )
    return lambda p: "(none)" if p.fields.get(by) is None else str(p.fields[by])


def _length_value(predictions: Predictions) -> Callable[[Prediction], str]:
    word_counts = [len(p.prompt.split()) for p in predictions]
    if len(set(word_counts)) < 2:
        return lambda _: "all alike"
    cuts = sorted({int(cut) for cut in quantiles(word_counts, n=4)})

    def length_slice(p: Prediction) -> str:
        n = len(p.prompt.split())
        place = sum(n > cut for cut in cuts)
        if place == len(cuts):
            return f"over {cuts[-1]} words"
        low = cuts[place - 1] + 1 if place else 0
        return f"{low}-{cuts[place]} words" if low else f"up to {cuts[place]} words"

    return length_slice


def fields(predictions: Predictions) -> list[str]:
    """Return what the examples can be sliced by: fields of 2 to 20 short values, and `length`."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    not_sliceable = set()
    for p in predictions:
        for name, value in p.fields.items():
            seen[name].add(str(value))
            if not _is_short(value):
                not_sliceable.add(name)
    kinds = [
        name
        for name, values in seen.items()
        if name not in not_sliceable and 1 < len(values) <= MAX_VALUES
    ]
    lengths = {len(p.prompt.split()) for p in predictions}
    return [*sorted(kinds), *([LENGTH_SLICE] if len(lengths) > 1 else [])]


def _is_short(value: Any) -> bool:
    return isinstance(value, str | bool | int | None) and len(str(value)) <= 40


def worst(
    predictions: Predictions, *, label: LabelRule = exact, least: int = MIN_EXAMPLES
) -> Score:
    """Return the accuracy of the worst slice, of those of at least `least` examples.

    By every field and by length. Its detail is a table of all slices; smaller ones are in it,
    marked, and held to nothing. Where no slice is large enough it is the accuracy of all rows. The
    worst of many is a little worse than it would be on new examples: hold it to a lower limit than
    accuracy itself.
    """
    slices = [
        s for by in fields(predictions) for s in accuracy(predictions, by, label=label).values()
    ]
    gated = [s for s in slices if s.n >= least]
    score = min(gated, key=lambda s: (float(s), -s.n), default=None)
    if score is None:
        score = classification.accuracy(predictions, label=label)
        score.name = f"accuracy [no slice of {least}]"
    score.best_case = min((s.best_case for s in gated), default=score.best_case)
    score.detail = "\n".join(_slice_line(s, least) for s in slices)
    score.hints = tuple(_small_slice_hints(slices, least))
    return score


def _slice_line(score: Score, min_examples: int) -> str:
    note = "" if score.n >= min_examples else f"  fewer than {min_examples}: held to nothing"
    value = format_value(float(score), True)
    low, high = format_value(score.low, True), format_value(score.high, True)
    return f"{score.name:<36.36}  {value:>6}  {low:>6} - {high:>6}  {score.n:>5,}{note}"


def _small_slice_hints(slices: list[Score], min_examples: int) -> list[str]:
    """Name the small slices that do worse than every large one: they deserve more examples."""
    floor = min((float(s) for s in slices if s.n >= min_examples), default=0.0)
    return [
        f"{s.name} is {format_value(float(s), True)} on {s.n:,}: too few to hold to a limit"
        for s in slices
        if s.n < min_examples and float(s) < floor
    ]
