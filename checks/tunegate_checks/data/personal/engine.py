"""From text to spans: prefilter, shape, check digits, then the words around."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .context import Context
from .rule import Rule, Span

_DIGIT = re.compile(r"\d")
# How far its label stands (0: needs none), the rule's place, minus the length, the span.
Candidate = tuple[int, int, int, Span]


def spans(text: str, before: str = "") -> list[Span]:
    """Return the personal data in a text, in order, none overlapping.

    `before` is what stands just before the text (the end of the message that asks for a number,
    the name of a field): it can say what a number is, and is not itself searched.
    """
    from .rules import RULES

    digits, low = len(_DIGIT.findall(text)), text.lower()
    rules = [r for r in RULES if digits >= r.digits and r.has in low]
    if not rules:
        return []
    context = Context(before + text)
    found = (c for i, r in enumerate(rules) for c in _candidates(i, r, context, len(before)))
    kept = _apart(found, len(context.text))
    return [Span(s.kind, s.start - len(before), s.end - len(before)) for s in kept]


def _candidates(place: int, rule: Rule, context: Context, begin: int) -> Iterator[Candidate]:
    if rule.words and context.families.isdisjoint(rule.words):
        return
    group = "v" if "v" in rule.pattern.groupindex else 0
    for match in rule.pattern.finditer(context.text, begin):
        start, end = match.span(group)
        if rule.valid(match.group(group)):
            far = _distance(rule, context, start, end)
            if far is not None:
                yield far, place, start - end, Span(rule.kind, start, end)


def _distance(rule: Rule, context: Context, start: int, end: int) -> int | None:
    if not rule.words:
        return None if rule.shy and context.under_other(start) else 0
    far = context.distance(start, end, rule.words, weak=rule.weak)
    return None if far is None else far + 1


def _apart(candidates: Iterable[Candidate], size: int) -> list[Span]:
    """Keep what needs no label before what does, then the nearest labelled."""
    kept: list[Span] = []
    taken = bytearray(size)
    for *_, span in sorted(candidates, key=lambda c: c[:3]):
        if not any(taken[span.start : span.end]):
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            kept.append(span)
    return sorted(kept, key=lambda s: s.start)
