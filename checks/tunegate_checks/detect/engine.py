"""From text to spans: prefilter, shape, check digits, then the words around."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from . import brazil, dates, europe, money, online, phones
from .context import Context
from .rule import Rule, Span

_DIGIT = re.compile(r"\d")
# How far its label stands (0: needs none), the rule's place, minus the length, the span.
Candidate = tuple[int, int, int, Span]


def personal_spans(text: str, context_text: str = "") -> list[Span]:
    """Return the personal data in a text, in order, none overlapping.

    `context_text` is what stands just before the text (the end of the message that asks for a number,
    the name of a field): it can say what a number is, and is not itself searched.
    """

    digits, low = len(_DIGIT.findall(text)), text.lower()
    rules = [r for r in RULES if digits >= r.min_digits and r.contains in low]
    if not rules:
        return []
    context = Context(context_text + text)
    candidates = (
        c for i, r in enumerate(rules) for c in _candidates(i, r, context, len(context_text))
    )
    chosen = _without_overlaps(candidates, len(context.text))
    return [Span(s.kind, s.start - len(context_text), s.end - len(context_text)) for s in chosen]


def _candidates(rule_index: int, rule: Rule, context: Context, begin: int) -> Iterator[Candidate]:
    if rule.label_families and context.families.isdisjoint(rule.label_families):
        return
    group = "v" if "v" in rule.pattern.groupindex else 0
    for match in rule.pattern.finditer(context.text, begin):
        start, end = match.span(group)
        if rule.valid(match.group(group)):
            distance = _label_distance(rule, context, start, end)
            if distance is not None:
                yield distance, rule_index, start - end, Span(rule.kind, start, end)


def _label_distance(rule: Rule, context: Context, start: int, end: int) -> int | None:
    if not rule.label_families:
        return None if rule.silent_under_other_label and context.is_under_other_label(start) else 0
    distance = context.distance(start, end, rule.label_families, weak=rule.needs_own_label)
    return None if distance is None else distance + 1


def _without_overlaps(candidates: Iterable[Candidate], size: int) -> list[Span]:
    """Keep what needs no label before what does, then the nearest labelled."""
    chosen: list[Span] = []
    taken = bytearray(size)
    for *_, span in sorted(candidates, key=lambda c: c[:3]):
        if not any(taken[span.start : span.end]):
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            chosen.append(span)
    return sorted(chosen, key=lambda s: s.start)


# [merged] All rules, in the order in which they are tried.

RULES = (
    *online.RULES,
    *brazil.RULES,
    *money.RULES,
    *europe.RULES,
    *dates.RULES,
    *phones.RULES,
)

KINDS = tuple(dict.fromkeys(rule.kind for rule in RULES))
