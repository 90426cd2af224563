"""Labels that look like slips of another: `Shipping`, `SHIPPING `, `shiping` for `shipping`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from .wording import quoted

CLASSES = 1_000  # more different replies than this are no classes; the time grows with the square
RARE = 0.1  # a slip of the pen is far rarer than what it slipped from


@lru_cache(maxsize=4096)
def folded(label: str) -> str:
    """Return a label without case, accents, punctuation and white space around it."""
    plain = unicodedata.normalize("NFKD", label.casefold())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", " ", letters).strip()


def near_misses(counts: Mapping[str, int]) -> dict[str, str]:
    """Return each label that is likely a slip, and the commoner label it was meant to be.

    Alike but for case, accents, punctuation or space: always. One letter off (two, from 8 letters
    on), or a label inside a sentence: only where it is at most a tenth as common.
    """
    misses: dict[str, str] = {}
    commonest: dict[str, str] = {}
    for label in sorted(counts, key=lambda c: (-counts[c], c)):
        same = commonest.setdefault(folded(label), label)
        if same != label:
            misses[label] = same
            continue
        common = {c: n for c, n in counts.items() if counts[label] <= RARE * n and c not in misses}
        meant = nearest(label, common) or _within(label, common)
        if meant:
            misses[label] = meant
    return misses


def meanings(counts: Mapping[str, int]) -> dict[str, str]:
    """Return for each label what to say beside it: ` (a slip of 'shipping'?)`, or nothing.

    A slip is told of by every check that counts classes: so each of them says what mends it.
    """
    misses = near_misses(counts) if len(counts) <= CLASSES else {}
    return {c: f" (a slip of {quoted(misses[c])}?)" if c in misses else "" for c in counts}


def nearest(label: str, known: Mapping[str, int]) -> str:
    """Return the known label that this one is nearly spelled like, or ""."""
    from rapidfuzz.distance import OSA

    mine = folded(label)
    # `atypical` is no slip of `typical`, nor `level 2` of `level 1`: those are labels by intent.
    alike = [k for k in known if folded(k)[:1] == mine[:1] and _digits(k) == _digits(label)]
    off = {k: OSA.distance(mine, folded(k)) for k in alike}
    near = [k for k, d in off.items() if d <= _tolerated(mine, folded(k))]
    return min(near, key=lambda k: (off[k], -known[k]), default="")


def _digits(label: str) -> list[str]:
    return re.findall(r"\d+", label)


def _tolerated(one: str, other: str) -> int:
    shorter = min(len(one), len(other))
    return 0 if shorter < 4 else 1 if shorter < 8 else 2


def _within(label: str, known: Mapping[str, int]) -> str:
    """Return the one known label that stands in a sentence: `the team is billing`.

    A word or two more make another label (`returns abroad`), three or a colon make a sentence.
    """
    words = f" {folded(label)} "
    inside = [k for k in known if folded(k) and f" {folded(k)} " in words]
    more = len(words.split()) - max((len(folded(k).split()) for k in inside), default=0)
    sentence = more >= 3 or re.search(r":\s|\n", label)
    return inside[0] if len(inside) == 1 and sentence else ""
