"""Find personal data in a text: prefilter, pattern, check digits, then the labels around."""

from __future__ import annotations

import re

from . import brazil, dates, europe, money, online, phones
from .context import Context
from .rule import Span

# Of overlapping candidates with labels equally near, the one of the earlier rule is chosen.
RULES = (
    *online.RULES,
    *brazil.RULES,
    *money.RULES,
    *europe.RULES,
    *dates.RULES,
    *phones.RULES,
)

KINDS = tuple(dict.fromkeys(rule.kind for rule in RULES))
_DIGIT = re.compile(r"\d")


def personal_spans(text: str, context_text: str = "") -> list[Span]:
    """Return the personal data in a text, in order, none overlapping.

    Of overlapping candidates the one that needs no label is chosen, else the one with the nearest
    label, then the one of the earlier rule, then the longest.

    Args:
        text: What is searched.
        context_text: What stands just before the text (the end of the message before, the name of a
            field). Its labels count; it is not searched itself.
    """
    digit_count, lowered = len(_DIGIT.findall(text)), text.lower()
    rules = [r for r in RULES if digit_count >= r.min_digits and r.contains in lowered]
    if not rules:
        return []
    offset, context = len(context_text), Context(context_text + text)
    candidates: list[tuple[int, int, int, Span]] = []
    for rule_index, rule in enumerate(rules):
        families = rule.label_families
        if families and context.families.isdisjoint(families):
            continue
        group = "v" if "v" in rule.pattern.groupindex else 0
        for match in rule.pattern.finditer(context.text, offset):
            start, end = match.span(group)
            if not rule.valid(match.group(group)):
                continue
            distance: int | None = 0
            if families:
                distance = context.distance(start, end, families, rule.needs_own_label)
            elif rule.silent_under_other_label and context.is_under_other_label(start):
                distance = None
            if distance is not None:
                span = Span(rule.kind, start, end)
                candidates.append((distance, rule_index, start - end, span))
    chosen: list[Span] = []
    taken = bytearray(len(context.text))
    for *_, span in sorted(candidates, key=lambda c: c[:3]):
        if not any(taken[span.start : span.end]):
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            chosen.append(Span(span.kind, span.start - offset, span.end - offset))
    return sorted(chosen, key=lambda s: s.start)
