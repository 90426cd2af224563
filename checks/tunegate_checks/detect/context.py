"""Which label governs a number: the words just before it, or just behind."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .vocabulary import LABELS, OTHER_FAMILY

REACH_BEFORE, REACH_BEHIND = 60, 28  # characters
REACH_ADDRESS = (
    120  # a street, a number, a flat, a quarter and a town stand between "rua" and its CEP
)
# A placeholder that `tunegate fix` wrote is one word, and none that says what a number is.
_WORD = re.compile(r"\[[A-Z][A-Z\d_]*_\d+\]|[^\W\d_](?:\.[^\W\d_])+\b|[^\W\d_]+")
_SMALL = (
    r"e|and|ou|or|d[aeo]s?|of|for|para|n[ao]s?|to|the|[oa]s?|meu|minha|my|your|seu|sua|nov[oa]|is"
)
# Labels with nothing but this between them speak together: "telefone do pedido", "CPF/telefone".
_JOIN = re.compile(rf"[\s,/&+():.\-]*(?:(?:{_SMALL})\b[\s,/]*){{0,3}}", re.IGNORECASE)
_OF = re.compile(
    r"\s+(?:d[aeo]s?|of|for|para)\s+(?:(?:[oa]s?|the|meu|minha|my|your|seu|sua)\s+)?", re.IGNORECASE
)
_TO_LABEL = re.compile(
    rf"[^\w:\n]{{0,4}}(?:(?:{_SMALL}|é|val\w*)\b[^\w:\n]{{0,2}}){{0,4}}", re.IGNORECASE
)
_OWN_VALUE = re.compile(r"[ \t]*(?:[:=#]|n[º°o]|é\s|is\s|\d)", re.IGNORECASE)
# A number, and then words or a comma: the label before them has had its number.
_SPENT = re.compile(r"\d(?:\W*\s[^\W\d_]+\D*|\s*[:;,]\s*\D?)$")
# Four letters, so that "Av. Brasil" and "Dr. Arnaldo" end no sentence.
_NEW_SENTENCE = re.compile(r"[^\W\d_]{4,}[.!]\s+(?:\S+\s+){3}")


@dataclass(frozen=True, slots=True)
class Label:
    """A word (or phrase) that says what a number near it is."""

    start: int
    end: int
    families: frozenset[str]


@lru_cache(maxsize=4096)
def fold_word(phrase: str) -> str:
    """Return a word in lower case without accents or the dots of an abbreviation."""
    bare = unicodedata.normalize("NFKD", phrase.lower().replace(".", ""))
    return "".join(c for c in bare if not unicodedata.combining(c))


def _find_labels(text: str) -> Iterator[Label]:
    tokens = [(m.start(), m.end(), fold_word(m.group())) for m in _WORD.finditer(text)]
    after = 0
    for i, (start, _, first) in enumerate(tokens):
        if i < after or first not in LABELS.first_words:
            continue
        for n in (3, 2, 1):
            phrase = tokens[i : i + n]
            families = LABELS.get(" ".join(w for *_, w in phrase))
            if families:
                after = i + len(phrase)
                yield Label(start, phrase[-1][1], families)
                break


class Context:
    """The labels of a text, found when first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def labels(self) -> list[Label]:
        """In order; of phrases that overlap, the longer."""
        return list(_find_labels(self.text))

    @cached_property
    def families(self) -> frozenset[str]:
        """Every family that the text speaks of."""
        return frozenset().union(*(label.families for label in self.labels))

    def distance(
        self, start: int, end: int, families: Collection[str], *, weak: bool
    ) -> int | None:
        """Return how far off the label stands that gives text[start:end] one of these families."""
        distance = self._distance_before(start, frozenset(families), weak)
        if distance is None and not self.is_under_other_label(start):
            distance = self._distance_behind(end, frozenset(families))
        return distance

    def is_under_other_label(self, start: int) -> bool:
        """Whether the nearest label before `start` is one of an order, a protocol, a version..."""
        for label in self._labels_before(start, 40):
            if not _SPENT.search(self.text[label.end : start]):
                return OTHER_FAMILY in label.families
        return False

    def _distance_before(self, start: int, families: frozenset[str], weak: bool) -> int | None:
        follower: Label | None = None
        joined = True
        for label in self._labels_before(
            start, REACH_ADDRESS if "address" in families else REACH_BEFORE
        ):
            between = self.text[label.end : start]
            joined = joined and (follower is None or self._is_linked(_JOIN, label, follower))
            near = families if len(between) < 4 else families - {"beside_phone"}
            if (
                label.families & near
                and (joined or not weak)
                and self._is_same_sentence(label, start)
            ):
                return None if weak and self._is_topic(label) else len(between)
            if _SPENT.search(between):
                continue
            if OTHER_FAMILY in label.families and not self._is_owner(label, families):
                return None
            follower = label
        return None

    def _is_same_sentence(self, label: Label, start: int) -> bool:
        """Whether no sentence ends between the label and the number."""
        return _NEW_SENTENCE.search(self.text, label.start, start) is None

    def _distance_behind(self, end: int, families: frozenset[str]) -> int | None:
        label = next(iter(self.labels[bisect_left(self.labels, end, key=_label_start) :]), None)
        if label is None or label.start - end > REACH_BEHIND or not label.families & families:
            return None
        leads_to_label = _TO_LABEL.fullmatch(self.text, end, label.start)
        has_no_own_value = not _OWN_VALUE.match(self.text, label.end)
        return REACH_BEFORE + label.start - end if leads_to_label and has_no_own_value else None

    def _labels_before(self, start: int, reach: int) -> Iterator[Label]:
        for i in range(bisect_right(self.labels, start, key=_label_end) - 1, -1, -1):
            if start - self.labels[i].end > reach:
                return
            yield self.labels[i]

    def _is_linked(self, pattern: re.Pattern[str], label: Label, follower: Label) -> bool:
        return pattern.fullmatch(self.text, label.end, follower.start) is not None

    def _is_topic(self, label: Label) -> bool:
        """Whether it only says what somebody else's number is about: "protocolo de ligação"."""
        earlier = next(self._labels_before(label.start, 20), None)
        return (
            earlier is not None
            and OTHER_FAMILY in earlier.families
            and self._is_linked(_OF, earlier, label)
        )

    def _is_owner(self, label: Label, families: frozenset[str]) -> bool:
        """Whether it only says whose number a wanted label means: "telefone do pedido"."""
        earlier = (
            x for x in self._labels_before(label.start, REACH_BEFORE) if x.families & families
        )
        nearest = next(earlier, None)
        return nearest is not None and self._is_linked(_OF, nearest, label)


def _label_start(label: Label) -> int:
    return label.start


def _label_end(label: Label) -> int:
    return label.end
