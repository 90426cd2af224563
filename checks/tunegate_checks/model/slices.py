"""Slices: a model that is right on the whole may be wrong for those who write Portuguese."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from statistics import quantiles
from typing import Any

from tunegate.extraction import Rule, exact
from tunegate.predictions import Prediction, Predictions
from tunegate.score import Score, shown

from . import classification

LENGTH = "length"
GATED = 30  # examples; of fewer, an interval is wider than 30 points: shown, held to nothing
MOST = 20  # values of a field; more, and it tells rows apart, not kinds of rows


def accuracy(predictions: Predictions, by: str, *, label: Rule = exact) -> dict[str, Score]:
    """Return accuracy per slice: `{"pt": accuracy [language=pt], ...}`, the largest slice first.

    `by` is a field of the test examples (`language`, or any other), or `length`: the number of
    words in the prompt, in four parts of about the same size. Examples without the field are the
    slice `(none)`. Raises ValueError for a field that no example has, naming those there are.
    """
    groups = _groups(predictions, by)
    return {value: _named(Predictions(rows), by, value, label) for value, rows in groups.items()}


def _named(predictions: Predictions, by: str, value: str, label: Rule) -> Score:
    score = classification.accuracy(predictions, label=label)
    score.name = f"accuracy [{by}={value}]"
    return score


def _groups(predictions: Predictions, by: str) -> dict[str, list[Prediction]]:
    value = _length(predictions) if by == LENGTH else _field(predictions, by)
    groups: defaultdict[str, list[Prediction]] = defaultdict(list)
    for p in predictions:
        groups[value(p)].append(p)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def _field(predictions: Predictions, by: str) -> Callable[[Prediction], str]:
    if len(predictions) and not any(by in p.fields for p in predictions):
        there = sorted({name for p in predictions for name in p.fields})
        raise ValueError(
            f"no test example has a field {by!r}; there is {', '.join([LENGTH, *there])}"
        )
    return lambda p: "(none)" if p.fields.get(by) is None else str(p.fields[by])


def _length(predictions: Predictions) -> Callable[[Prediction], str]:
    words = [len(p.prompt.split()) for p in predictions]
    if len(set(words)) < 2:
        return lambda _: "all alike"
    cuts = sorted({int(cut) for cut in quantiles(words, n=4)})

    def value(p: Prediction) -> str:
        n = len(p.prompt.split())
        place = sum(n > cut for cut in cuts)
        if place == len(cuts):
            return f"over {cuts[-1]} words"
        low = cuts[place - 1] + 1 if place else 0
        return f"{low}-{cuts[place]} words" if low else f"up to {cuts[place]} words"

    return value


def fields(predictions: Predictions) -> list[str]:
    """Return what the examples can be sliced by: fields of 2 to 20 short values, and `length`."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    odd = set()
    for p in predictions:
        for name, value in p.fields.items():
            seen[name].add(str(value))
            if not _short(value):
                odd.add(name)
    kinds = [name for name, values in seen.items() if name not in odd and 1 < len(values) <= MOST]
    lengths = {len(p.prompt.split()) for p in predictions}
    return [*sorted(kinds), *([LENGTH] if len(lengths) > 1 else [])]


def _short(value: Any) -> bool:
    return isinstance(value, str | bool | int | None) and len(str(value)) <= 40


def worst(predictions: Predictions, *, label: Rule = exact, least: int = GATED) -> Score:
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
    score.if_right = min((s.if_right for s in gated), default=score.if_right)
    score.detail = "\n".join(_line(s, least) for s in slices)
    score.hints = tuple(_weak(slices, least))
    return score


def _line(score: Score, least: int) -> str:
    few = "" if score.n >= least else f"  fewer than {least}: held to nothing"
    value = shown(float(score), True)
    low, high = shown(score.low, True), shown(score.high, True)
    return f"{score.name:<36.36}  {value:>6}  {low:>6} - {high:>6}  {score.n:>5,}{few}"


def _weak(slices: list[Score], least: int) -> list[str]:
    """Name the small slices that do worse than every large one: they deserve more examples."""
    floor = min((float(s) for s in slices if s.n >= least), default=0.0)
    return [
        f"{s.name} is {shown(float(s), True)} on {s.n:,}: too few to hold to a limit"
        for s in slices
        if s.n < least and float(s) < floor
    ]
