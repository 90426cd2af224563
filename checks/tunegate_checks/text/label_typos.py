"""Find labels that are misspellings of another: `Shipping`, `SHIPPING `, `shiping`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from .display import quote_repr

MAX_CLASSES = 1_000  # more different replies are no classes; the time grows with the square
MAX_TYPO_SHARE = 0.1  # of the count of the right spelling: a misspelling is far rarer


@lru_cache(maxsize=4096)
def fold(label: str) -> str:
    """Return a label without case, accents, punctuation and white space around it."""
    decomposed = unicodedata.normalize("NFKD", label.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", " ", letters).strip()


def find_typos(counts: Mapping[str, int]) -> dict[str, str]:
    """Return each label that is likely a misspelling, with the commoner label that was meant.

    A label that differs only in case, accents, punctuation or white space always is one. A label
    one letter off (two, from 8 letters on), or inside a sentence, is one if it is at most a tenth
    as common.

    Args:
        counts: Rows by label.
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
    """Return for each label a note for evidence: ` (a slip of 'shipping'?)`, or "".

    Every check that counts classes also finds a misspelled class, and names the remedy with this.
    """
    typos = find_typos(counts) if len(counts) <= MAX_CLASSES else {}
    return {c: f" (a slip of {quote_repr(typos[c])}?)" if c in typos else "" for c in counts}


def nearest_label(label: str, known_labels: Mapping[str, int]) -> str:
    """Return the known label whose spelling is nearest to this one within the tolerance, or ""."""
    from rapidfuzz.distance import OSA

    folded_label = fold(label)
    distances = {}
    for known_label in known_labels:
        folded_known = fold(known_label)
        # `atypical` is no misspelling of `typical`, nor `level 2` of `level 1`: both are labels.
        same_numbers = re.findall(r"\d+", known_label) == re.findall(r"\d+", label)
        if folded_known[:1] == folded_label[:1] and same_numbers:
            distance = OSA.distance(folded_label, folded_known)
            shorter = min(len(folded_label), len(folded_known))
            if distance <= (0 if shorter < 4 else 1 if shorter < 8 else 2):
                distances[known_label] = distance
    return min(distances, key=lambda k: (distances[k], -known_labels[k]), default="")


def _label_in_sentence(label: str, known_labels: Mapping[str, int]) -> str:
    """Return the only known label that a sentence contains, such as `the team is billing`, or "".

    A label with one or two more words is another label (`returns abroad`); three more words, a
    colon or a line break make a sentence.
    """
    padded_label = f" {fold(label)} "
    contained = [k for k in known_labels if fold(k) and f" {fold(k)} " in padded_label]
    extra_words = len(padded_label.split()) - max(
        (len(fold(k).split()) for k in contained), default=0
    )
    is_sentence = extra_words >= 3 or re.search(r":\s|\n", label)
    return contained[0] if len(contained) == 1 and is_sentence else ""
