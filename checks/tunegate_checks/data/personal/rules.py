"""All rules, in the order in which they are tried."""

from __future__ import annotations

from . import brazil, dates, europe, money, online, phones

RULES = (
    *online.RULES,
    *brazil.RULES,
    *money.RULES,
    *europe.RULES,
    *dates.RULES,
    *phones.RULES,
)

KINDS = tuple(dict.fromkeys(rule.kind for rule in RULES))
