"""Find personal data in a text: prefilter, pattern, check digits, labels around; and mask it.

A masked value can be found in its file, but not be read.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from html import unescape
from importlib import import_module
from typing import NamedTuple

from . import brazil, dates, europe, money, online, phones
from .context import Context
from .rule import Rule, Span
from .structure import parts_of

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
_PATTERNS = tuple(
    (i, rule, pattern, "v" if "v" in pattern.groupindex else 0)
    for i, (rule, pattern) in enumerate(
        (rule, re.compile(rule.pattern, re.IGNORECASE)) for rule in RULES
    )
)
_NUMBER = re.compile(r"\d(?:[^\w\n]{0,4}\d)*")
# Kinds so long that, with two characters known, millions of values remain possible.
_LAST_TWO = frozenset(
    ("cpf", "cnpj", "card", "iban", "phone", "cns", "us_ssn", "eu_vat", "pis", "cnh", "voter_id")
)

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
# Letters that a pattern which ignores case takes for i, s and k, but no check of digits can read.
_CASE_TWINS = "\u0130\u0131\u017f\u212a"
_ODD = re.compile("[\xa0\u0130-\U0010ffff]")  # what holds all that `plain` changes


@cache
def _plain_characters() -> dict[int, str]:
    """Return the character of ASCII that each dash, space, digit and case twin is read as.

    A digit of another script is a letter (ª): no number here is written in it.
    """
    plain = dict.fromkeys(map(ord, _DASHES), "-") | dict.fromkeys(map(ord, _CASE_TWINS), "ª")
    for code in range(128, sys.maxunicode):
        category = unicodedata.category(chr(code))
        if category in ("Zs", "Nd"):
            plain[code] = " " if category == "Zs" else "ª"
    return plain


def plain(text: str) -> str:
    """Return a text of the same length whose dashes, spaces and digits are those of ASCII."""
    return text.translate(_plain_characters()) if _ODD.search(text) else text


# Escapes of JSON (of JSON in JSON too) and of URLs, and entities of HTML.
_ESCAPE = re.compile(
    r"(?<!\\)\\+(?:u(?P<json>[\da-fA-F]{4})|(?P<control>[nrt])|(?P<sign>[\"/]))"
    r"|%(?P<url>[2-7][\da-fA-F])|&#?\w{2,8};"
)


def decoded(text: str) -> tuple[str, Sequence[int]]:
    """Return a text without escapes, and the place in the text of each character and of the end."""
    if not ("\\" in text or "%" in text or "&" in text):
        return text, range(len(text) + 1)
    parts, places, position = list[str](), list[int](), 0
    for match in _ESCAPE.finditer(text):
        code = match["json"] or match["url"]
        character = chr(int(code, 16)) if code else match["sign"] or unescape(match[0])
        character = "\n" if match["control"] else character
        if len(character) == 1:
            parts += text[position : match.start()], character
            places += range(position, match.start() + 1)
            position = match.end()
    return "".join([*parts, text[position:]]), [*places, *range(position, len(text) + 1)]


# Of random numbers, one in a hundred passes.
_TWO_CHECK_DIGITS = frozenset(("cpf", "cnpj"))


def personal_spans(
    text: str,
    context_text: str = "",
    ignore: Collection[str] = (),
    allow: Collection[str] = (),
    *,
    bare: bool = False,
) -> list[Span]:
    """Return the personal data in a text, in order, none overlapping.

    Of overlapping candidates the one that needs no label is chosen, else the one with the nearest
    label, then the one of the earlier rule, then the longest.

    Args:
        text: What is searched.
        context_text: What stands just before the text (the end of the message before, the name of a
            field). Its labels count; it is not searched itself.
        ignore: Kinds that are not asked for.
        allow: Values that are public, and `@domain` for every address there; case is ignored.
        bare: A CPF or CNPJ counts by its check digits alone, without a label.
    """
    text, places = decoded(text)
    text, context_text = plain(text), plain(context_text)
    candidates = list(_candidates(text, context_text, bare))
    for part in parts_of(text):
        if part.is_cell:
            candidates = [c for c in candidates if c.end <= part.start or part.end <= c.start]
        for c in _candidates(text[part.start : part.end], f"{part.heading}: ", bare):
            candidates.append(c._replace(start=c.start + part.start, end=c.end + part.start))
    public = [plain(value).lower() for value in allow]
    chosen: list[Span] = []
    taken = bytearray(len(text))
    for _, _, _, start, end, kind in sorted(candidates):
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            value = text[start:end].lower()
            is_public = any(value.endswith(p) if p.startswith("@") else value == p for p in public)
            if kind not in ignore and not is_public:
                chosen.append(Span(kind, places[start], places[end]))
    return sorted(chosen, key=lambda s: s.start)


class _Candidate(NamedTuple):
    """A value that may be found; the least one of those that overlap is."""

    distance: int
    rule_index: int
    minus_length: int
    start: int
    end: int
    kind: str


def _candidates(text: str, context_text: str, bare: bool) -> Iterator[_Candidate]:
    """Yield what the rules find in a text behind its context."""
    rules = _rules_for(text)
    if not rules:
        return
    offset, context = len(context_text), Context(context_text + text)
    for rule_index, rule, pattern, group in rules:
        families = () if bare and rule.kind in _TWO_CHECK_DIGITS else rule.label_families
        if families and context.families.isdisjoint(families):
            continue
        # The word that a pattern begins with, and not its value, may stand in the context.
        for match in pattern.finditer(context.text, 0 if group else offset):
            start, end = match.span(group)
            if start < offset or not _is_valid(rule, match[group]):
                continue
            distance: int | None = 0
            if families:
                distance = context.distance(start, end, families, rule.needs_own_label)
            elif rule.silent_under_other_label and context.is_under_other_label(start):
                distance = None
            if distance is not None:
                span = (start - offset, end - offset)
                yield _Candidate(distance, rule_index, start - end, *span, rule.kind)


def _rules_for(text: str) -> list[tuple[int, Rule, re.Pattern[str], str | int]]:
    """Return the rules that can find anything in a text, which are few in most texts."""
    lowered = text.lower()
    digits = max((sum(map(str.isdigit, n)) for n in _NUMBER.findall(text)), default=0)
    return [
        row
        for row in _PATTERNS
        if digits >= row[1].min_digits
        and (not row[1].contains or any(sign in lowered for sign in row[1].contains))
    ]


def _is_valid(rule: Rule, value: str) -> bool:
    if not rule.valid(value):
        return False
    return not rule.stdnum or bool(import_module(f"stdnum.{rule.stdnum}").is_valid(value))


def mask_value(kind: str, value: str) -> str:
    """Return a value of a kind, masked, on one line.

    An e-mail keeps its top-level domain and the first letter of parts of four or more; long
    numbers keep their last two characters and their punctuation; the rest keeps nothing.
    """
    value = " ".join(value.split())
    user, _, domain = value.rpartition("@")
    host, _, top = domain.rpartition(".")
    if kind == "email" and user and host:
        first_letters = (part[0] if len(part) > 3 else "" for part in (user, host))
        return "{}***@{}***.{}".format(*first_letters, top)
    if kind not in _LAST_TWO or sum(c.isalnum() for c in value[:-2]) < 7:
        return "***"
    return re.sub(r"\w", "*", value[:-2]) + value[-2:]
