"""Find labels that are misspellings of another: `Shipping`, `SHIPPING `, `shiping`.

A misspelling is rare beside the label that was meant; two labels of similar size are two classes.
Signs, digits, emoji and accents carry meaning: `C` and `C++`, `>50K` and `<=50K`, `-1` and `1`,
`avó` and `avô` are never one label, however rare one of them is.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from tunegate.utils.text import without_accents

from .display import quote_repr

MAX_CLASSES = 1_000  # more different replies are no classes; the time grows with the square
# Of the count of the label that was meant. Letters can be a word of their own (`nitrite` beside
# `nitrate`), so a misspelling by letters must be rarer than one by case or punctuation.
MAX_VARIANT_SHARE = 0.1
MAX_TYPO_SHARE = 0.05
MIN_ROWS_BESIDE_ONE = 5  # a variant that one row alone has is rare beside so many
# Letters of a word from which on one letter may be wrong, and from which on two may be missing.
ONE_EDIT_LETTERS, TWO_EDITS_LETTERS = 5, 8

_QUOTES = "\"'“”‘’«»`*"
_JOINERS = re.compile(r"(?<=[^\W\d_])[-_ ]+(?=[^\W\d_])")  # between letters; before one: a sign


@lru_cache(maxsize=4096)
def fold(label: str) -> str:
    """Return a label without case, quotes around it and full stops, commas, colons behind it."""
    text = " ".join(unicodedata.normalize("NFC", label).split()).casefold()
    return _JOINERS.sub(" ", text.strip(_QUOTES).rstrip(".,;:").strip(_QUOTES + " ")) or text


@lru_cache(maxsize=4096)
def _spelling(label: str) -> tuple[list[str], str]:
    """Return the words of a label, and all that is no letter with a case."""
    folded = fold(label)
    # A letter without a case (Chinese, Thai) is a word or a syllable, not a letter to get wrong.
    signs = "".join(c for c in folded if not c.isspace() and c.lower() == c.upper())
    return re.findall(r"[^\W\d_]+", folded), signs


def is_variant(label: str, other: str) -> bool:
    """Tell whether two labels differ in case, closing punctuation or left out accents alone."""
    one, two = fold(label), fold(other)
    return one == two or without_accents(one) == two or one == without_accents(two)


def find_typos(counts: Mapping[str, int]) -> dict[str, str]:
    """Return each label that is likely a misspelling, with the commoner label that was meant.

    `counts` has the rows of each label. White space around a label never makes another label. Else
    a label is a misspelling only if it is rare beside the label that was meant: at most a tenth as
    common (MAX_VARIANT_SHARE; a single row: beside five rows) where it differs in case, in quotes
    or closing punctuation, or by having no accents at all, or is a sentence around that label; at
    most a twentieth (MAX_TYPO_SHARE) where it differs by letters, as `nearest_label` says.
    """
    spellings: dict[str, list[str]] = {}  # those of one label, which differ in white space
    for label in sorted(counts, key=lambda c: (c != " ".join(c.split()), -counts[c], c)):
        spellings.setdefault(" ".join(label.split()), []).append(label)
    totals = {same[0]: sum(counts[c] for c in same) for same in spellings.values()}
    typos = {c: same[0] for same in spellings.values() for c in same[1:]}
    variants: dict[str, list[str]] = {}
    meant: dict[str, str] = {}
    for label in sorted(totals, key=lambda c: (-totals[c], c)):
        n, others = totals[label], variants.setdefault(without_accents(fold(label)), [])
        intended = next((c for c in others if is_rare_variant(label, c, totals)), "")
        if not intended and len(totals) <= MAX_CLASSES:
            right = {c: m for c, m in totals.items() if c not in meant}
            common = {c: m for c, m in right.items() if n <= MAX_TYPO_SHARE * m}
            intended = nearest_label(label, common)
            common = {c: m for c, m in right.items() if n <= MAX_VARIANT_SHARE * m}
            intended = intended or _label_in_sentence(label, common)
        if intended:
            meant[label] = intended
        else:
            others.append(label)
    return {**{c: meant.get(other, other) for c, other in typos.items()}, **meant}


def is_rare_variant(label: str, other: str, counts: Mapping[str, int]) -> bool:
    """Tell whether a label is a variant of another one, and rare beside it."""
    n, m = counts[label], counts[other]
    is_rare = n <= MAX_VARIANT_SHARE * m or (n == 1 and m >= MIN_ROWS_BESIDE_ONE)
    return is_rare and is_variant(label, other)


def class_names(counts: Mapping[str, int]) -> dict[str, str]:
    """Return each label as evidence names it: `class 'shiping' (a slip of 'shipping'?)`."""
    typos = find_typos(counts) if len(counts) <= MAX_CLASSES else {}
    notes = {c: f" (a slip of {quote_repr(meant)}?)" for c, meant in typos.items()}
    return {c: f"class {quote_repr(c)}{notes.get(c, '')}" for c in counts}


def nearest_label(label: str, known_labels: Mapping[str, int]) -> str:
    """Return the known label whose spelling is nearest to this one, or "".

    Signs, digits and emoji must be equal, and so must the first letter of each word. In a word of
    ONE_EDIT_LETTERS or more one letter may be wrong, missing, doubled or exchanged with the next;
    in one of TWO_EDITS_LETTERS or more two may be missing or too many. `level 1` and `level 2`,
    `type i` and `type ii`, `typical` and `atypical` are labels of their own.
    """
    distances = {k: d for k in known_labels if (d := label_distance(label, k)) is not None}
    return min(distances, key=lambda k: (distances[k], -known_labels[k]), default="")


def label_distance(label: str, other: str) -> int | None:
    """Return by how many letters two labels differ; None if they cannot be one label misspelled."""
    if is_variant(label, other):
        return 0
    (words, signs), (other_words, other_signs) = _spelling(label), _spelling(other)
    if signs != other_signs:
        return None
    if len(words) != len(other_words):  # `log in` and `login`
        return 1 if "".join(words) == "".join(other_words) else None
    distances = [_word_distance(a, b) for a, b in zip(words, other_words, strict=True)]
    total = sum(d for d in distances if d is not None)
    return total if None not in distances and 0 < total <= 2 else None


def _word_distance(word: str, other: str) -> int | None:
    """Return by how many letters two words differ; None if it is more than a slip explains."""
    from rapidfuzz.distance import OSA, Indel

    if word == other:
        return 0
    shorter = min(len(word), len(other))
    if word[0] != other[0] or shorter < ONE_EDIT_LETTERS:
        return None
    # Two accents on one letter (`avó`, `avô`) are two letters, and neither was left out.
    if without_accents(word) == without_accents(other):
        return None
    if OSA.distance(word, other, score_cutoff=2) == 1:
        return 1
    are_missing = Indel.distance(word, other) == 2 == abs(len(word) - len(other))
    return 2 if are_missing and shorter >= TWO_EDITS_LETTERS else None


def _label_in_sentence(label: str, known_labels: Mapping[str, int]) -> str:
    """Return the only known label that a sentence contains, such as `the team is billing`, or "".

    A label with one or two more words is another label (`returns abroad`); three more words, a line
    break, or a colon before the known label make a sentence.
    """
    words = [fold(word) for word in label.split()]
    padded_label = f" {' '.join(words)} "
    if len(contained := [k for k in known_labels if f" {fold(k)} " in padded_label]) != 1:
        return ""
    known = fold(contained[0])
    extra_words = len(words) - len(known.split())
    ends_so = re.search(r":\s", label) and padded_label.endswith(f" {known} ")
    return contained[0] if extra_words >= 3 or ends_so or "\n" in label.strip() else ""
