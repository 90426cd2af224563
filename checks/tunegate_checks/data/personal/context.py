"""Which label governs a number: the words just before it, or just behind."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .vocabulary import LABELS, OTHER

REACH, BEHIND = 60, 28  # characters
FAR = 120  # a street, a number, a flat, a quarter and a town stand between "rua" and its CEP
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
def plain(word: str) -> str:
    """Return a word in lower case without accents or the dots of an abbreviation."""
    bare = unicodedata.normalize("NFKD", word.lower().replace(".", ""))
    return "".join(c for c in bare if not unicodedata.combining(c))


def _labels(text: str) -> Iterator[Label]:
    words = [(m.start(), m.end(), plain(m.group())) for m in _WORD.finditer(text)]
    after = 0
    for i, (start, _, first) in enumerate(words):
        if i < after or first not in LABELS.starts:
            continue
        for n in (3, 2, 1):
            phrase = words[i : i + n]
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
        return list(_labels(self.text))

    @cached_property
    def families(self) -> frozenset[str]:
        """Every family that the text speaks of."""
        return frozenset().union(*(label.families for label in self.labels))

    def distance(self, start: int, end: int, wanted: Collection[str], *, weak: bool) -> int | None:
        """Return how far off the label stands that gives text[start:end] one of these families."""
        far = self._before(start, frozenset(wanted), weak)
        if far is None and not self.under_other(start):
            far = self._behind(end, frozenset(wanted))
        return far

    def under_other(self, start: int) -> bool:
        """Whether the nearest label before `start` is one of an order, a protocol, a version..."""
        for label in self._back_from(start, 40):
            if not _SPENT.search(self.text[label.end : start]):
                return OTHER in label.families
        return False

    def _before(self, start: int, wanted: frozenset[str], weak: bool) -> int | None:
        follower: Label | None = None
        joined = True
        for label in self._back_from(start, FAR if "address" in wanted else REACH):
            between = self.text[label.end : start]
            joined = joined and (follower is None or self._links(_JOIN, label, follower))
            near = wanted if len(between) < 4 else wanted - {"beside_phone"}
            if label.families & near and (joined or not weak) and self._speaks(label, start):
                return None if weak and self._is_topic(label) else len(between)
            if _SPENT.search(between):
                continue
            if OTHER in label.families and not self._is_owner(label, wanted):
                return None
            follower = label
        return None

    def _speaks(self, label: Label, start: int) -> bool:
        """Whether no sentence ends between the label and the number."""
        return _NEW_SENTENCE.search(self.text, label.start, start) is None

    def _behind(self, end: int, wanted: frozenset[str]) -> int | None:
        label = next(iter(self.labels[bisect_left(self.labels, end, key=_start) :]), None)
        if label is None or label.start - end > BEHIND or not label.families & wanted:
            return None
        leads = _TO_LABEL.fullmatch(self.text, end, label.start)
        alone = not _OWN_VALUE.match(self.text, label.end)
        return REACH + label.start - end if leads and alone else None

    def _back_from(self, start: int, reach: int) -> Iterator[Label]:
        for i in range(bisect_right(self.labels, start, key=_end) - 1, -1, -1):
            if start - self.labels[i].end > reach:
                return
            yield self.labels[i]

    def _links(self, words: re.Pattern[str], label: Label, follower: Label) -> bool:
        return words.fullmatch(self.text, label.end, follower.start) is not None

    def _is_topic(self, label: Label) -> bool:
        """Whether it only says what somebody else's number is about: "protocolo de ligação"."""
        earlier = next(self._back_from(label.start, 20), None)
        return (
            earlier is not None and OTHER in earlier.families and self._links(_OF, earlier, label)
        )

    def _is_owner(self, label: Label, wanted: frozenset[str]) -> bool:
        """Whether it only says whose number a wanted label means: "telefone do pedido"."""
        earlier = (x for x in self._back_from(label.start, REACH) if x.families & wanted)
        nearest = next(earlier, None)
        return nearest is not None and self._links(_OF, nearest, label)


def _start(label: Label) -> int:
    return label.start


def _end(label: Label) -> int:
    return label.end
