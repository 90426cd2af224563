"""Labels that look like slips of another: `Shipping`, `SHIPPING `, `shiping` for `shipping`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from .display import quote_repr

MAX_CLASSES = (
    1_000  # more different replies than this are no classes; the time grows with the square
)
MAX_TYPO_SHARE = 0.1  # a slip of the pen is far rarer than what it slipped from


@lru_cache(maxsize=4096)
def fold(label: str) -> str:
    """Return a label without case, accents, punctuation and white space around it."""
    decomposed = unicodedata.normalize("NFKD", label.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", " ", letters).strip()


def find_typos(counts: Mapping[str, int]) -> dict[str, str]:
    """Return each label that is likely a slip, and the commoner label it was meant to be.

    Alike but for case, accents, punctuation or space: always. One letter off (two, from 8 letters
    on), or a label inside a sentence: only where it is at most a tenth as common.
    """
    typos: dict[str, str] = {}
    commonest: dict[str, str] = {}
    for label in sorted(counts, key=lambda c: (-counts[c], c)):
        first_spelling = commonest.setdefault(fold(label), label)
        if first_spelling != label:
            typos[label] = first_spelling
            continue
        commoner = {
            c: n
            for c, n in counts.items()
            if counts[label] <= MAX_TYPO_SHARE * n and c not in typos
        }
        intended = nearest_label(label, commoner) or _label_in_sentence(label, commoner)
        if intended:
            typos[label] = intended
    return typos


def typo_notes(counts: Mapping[str, int]) -> dict[str, str]:
    """Return for each label what to say beside it: ` (a slip of 'shipping'?)`, or nothing.

    A slip is told of by every check that counts classes: so each of them says what mends it.
    """
    typos = find_typos(counts) if len(counts) <= MAX_CLASSES else {}
    return {c: f" (a slip of {quote_repr(typos[c])}?)" if c in typos else "" for c in counts}


def nearest_label(label: str, known_labels: Mapping[str, int]) -> str:
    """Return the known label that this one is nearly spelled like, or ""."""
    from rapidfuzz.distance import OSA

    folded_label = fold(label)
    # `atypical` is no slip of `typical`, nor `level 2` of `level 1`: those are labels by intent.
    candidates = [
        k for k in known_labels if fold(k)[:1] == folded_label[:1] and _digits(k) == _digits(label)
    ]
    distances = {k: OSA.distance(folded_label, fold(k)) for k in candidates}
    within_tolerance = [
        k for k, d in distances.items() if d <= _max_distance(folded_label, fold(k))
    ]
    return min(within_tolerance, key=lambda k: (distances[k], -known_labels[k]), default="")


def _digits(label: str) -> list[str]:
    return re.findall(r"\d+", label)


def _max_distance(first: str, second: str) -> int:
    shorter = min(len(first), len(second))
    return 0 if shorter < 4 else 1 if shorter < 8 else 2


def _label_in_sentence(label: str, known_labels: Mapping[str, int]) -> str:
    """Return the one known label that stands in a sentence: `the team is billing`.

    A word or two more make another label (`returns abroad`), three or a colon make a sentence.
    """
    padded_label = f" {fold(label)} "
    contained = [k for k in known_labels if fold(k) and f" {fold(k)} " in padded_label]
    extra_words = len(padded_label.split()) - max(
        (len(fold(k).split()) for k in contained), default=0
    )
    is_sentence = extra_words >= 3 or re.search(r":\s|\n", label)
    return contained[0] if len(contained) == 1 and is_sentence else ""
