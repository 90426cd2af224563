"""Find what says what a number is: the label beside it, the header of its column or of its list."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from .prefilter import windows
from .rule import read_patterns
from .rules import LABEL_WORDS, LABELS, LENGTHS, OTHER_FAMILY, PASSWORD_NAME

PATTERNS = read_patterns(__file__)
REACH_BEFORE, REACH_BEHIND = 60, 28  # characters
REACH_ADDRESS = 120  # characters: street, number, flat and town stand between "rua" and its CEP


@dataclass(slots=True)
class Label:
    """A word or phrase of a text that says what a number near it is."""

    start: int
    end: int
    families: Set[str]


@lru_cache(maxsize=4096)
def fold_word(phrase: str) -> str:
    """Return a word in lower case without accents or the dots of an abbreviation."""
    bare = unicodedata.normalize("NFKD", phrase.lower().replace(".", ""))
    return "".join(c for c in bare if not unicodedata.combining(c))


@lru_cache(maxsize=4096)
def _label_words(word: str) -> tuple[tuple[int, int, str], ...]:
    """Return the words of labels in a word, with start and end: two in `phoneNumber`."""
    folded = fold_word(word)
    is_one = word.islower() or word.isupper() or word[1:].islower() or folded in LABELS
    if is_one or word[1:2].isupper() > word[0].isupper():  # `iPhone`
        parts = [(0, len(word), folded)]
    else:
        found = PATTERNS["word_of_identifier"].finditer(word)
        parts = [(*part.span(), fold_word(part[0])) for part in found]
    return tuple([part for part in parts if part[2] in LABEL_WORDS])


@dataclass(frozen=True, eq=False)
class Context:
    """A text with its labels, which are searched at the first use: in a long text near numbers."""

    text: str
    numbers: Sequence[tuple[int, int]] = ()  # the spans of its numbers of two digits or more

    @cached_property
    def labels(self) -> list[Label]:
        """The labels in order; of overlapping phrases the longest (up to three words)."""
        words, labels, end = self._words(), list[Label](), 0
        for i, (start, _, first) in enumerate(words):
            for n in LENGTHS.get(first, ()) if start >= end else ():
                parts = words[i : i + n]
                families = LABELS.get(first if n == 1 else " ".join([part[2] for part in parts]))
                if families and (n == 1 or self._is_joined(parts)):
                    end = parts[-1][1]
                    labels.append(Label(start, end, families))
                    break
        return labels

    def _words(self) -> list[tuple[int, int, str]]:
        """Return start, end and folded form of each word that labels have."""
        text = PATTERNS["placeholder"].sub(lambda m: " " * len(m[0]), self.text)
        return [
            (match.start() + start, match.start() + end, word)
            for a, b in windows(text, self.numbers, REACH_ADDRESS + 40)
            for match in PATTERNS["word"].finditer(text, a, b)
            for start, end, word in _label_words(match[0])
        ]

    def _is_joined(self, words: list[tuple[int, int, str]]) -> bool:
        """Whether no other word stands between some words."""
        gaps = ((a, b) for (_, a, _), (b, *_) in pairwise(words))
        return not any(PATTERNS["letter_or_digit"].search(self.text, a, b) for a, b in gaps)

    @property
    def families(self) -> set[str]:
        """The families of all labels in the text."""
        return {family for label in self.labels for family in label.families}

    def distance(
        self, start: int, end: int, families: Collection[str], needs_own_label: bool
    ) -> int | None:
        """Return the distance from text[start:end] to the label that gives it one of the families.

        In characters, plus 1, plus REACH_BEFORE for a label behind, which counts if none is before.
        """
        wanted = frozenset(families)
        if (distance := self._distance_before(start, wanted, needs_own_label)) is not None:
            return distance + 1
        index = bisect_left(self.labels, end, key=attrgetter("start"))
        if index == len(self.labels) or self.is_under_other_label(start):
            return None
        label = self.labels[index]
        is_near = label.families & wanted and label.start - end <= REACH_BEHIND
        # A label with a value of its own behind it does not belong to the number before it.
        if not is_near or PATTERNS["own_value"].match(self.text, label.end):
            return None
        is_joined = PATTERNS["to_label"].fullmatch(self.text, end, label.start)
        return REACH_BEFORE + label.start - end + 1 if is_joined else None

    def is_under_other_label(self, start: int) -> bool:
        """Whether the nearest label before `start` is one of an order, a protocol, a version..."""
        for label in self._labels_before(start, 40):
            if not PATTERNS["spent"].search(self.text[label.end : start]):
                is_closed = PATTERNS["closed"].match(self.text, label.end, start)
                return OTHER_FAMILY in label.families and not is_closed
        return False

    def _distance_before(
        self, start: int, families: frozenset[str], needs_own_label: bool
    ) -> int | None:
        follower: Label | None = None
        is_joined = True
        reach = REACH_ADDRESS if "address" in families else REACH_BEFORE
        for label in self._labels_before(start, reach):
            between = self.text[label.end : start]
            if needs_own_label and follower:
                is_joined &= bool(PATTERNS["join"].fullmatch(self.text, label.end, follower.start))
            wanted = families if len(between) < 4 else families - {"beside_phone"}
            if (
                label.families & wanted
                and (is_joined or not needs_own_label)
                and not PATTERNS["new_sentence"].search(self.text, label.start, start)
                and not PATTERNS["pair"].match(self.text, label.end, start)
                and not (needs_own_label and PATTERNS["number_ends_sentence"].search(between))
            ):
                is_topic = needs_own_label and self._is_of(label, {OTHER_FAMILY}, 20)
                return None if is_topic else len(between)  # "protocolo de ligação"
            if PATTERNS["spent"].search(between):
                continue
            is_silencing = OTHER_FAMILY in label.families and not self._is_of(label, families)
            if is_silencing and not PATTERNS["closed"].match(self.text, label.end, start):
                return None
            follower = label
        return None

    def _labels_before(self, start: int, reach: int) -> Iterator[Label]:
        for i in range(bisect_right(self.labels, start, key=attrgetter("end")) - 1, -1, -1):
            if start - self.labels[i].end > reach:
                return
            yield self.labels[i]

    def _is_of(self, label: Label, families: Set[str], reach: int = REACH_BEFORE) -> bool:
        """Whether a label only says what one of these families is of: "telefone do pedido"."""
        labels = self._labels_before(label.start, reach)
        wanted = next((x for x in labels if x.families & families), None)
        return bool(wanted and PATTERNS["of"].fullmatch(self.text, wanted.end, label.start))


class Part(NamedTuple):
    """A cell or an item, `text[start:end]`; a header can say that a cell `is_of_other` meaning."""

    start: int
    end: int
    heading: str
    is_of_other: bool = False


# By the delimiter of a table.
_CELL = {d: re.compile(rf'(?:^|[{d}])[ ]*"?(?P<v>(?<=")[^"]*|[^{d}"]*)"?[^{d}]*') for d in "\t;|,"}
# What a header can name that is no family of labels.
_NAMED = {"name": PATTERNS["name"], "password": re.compile(PASSWORD_NAME, re.IGNORECASE)}


def parts_of(text: str) -> Iterator[Part]:
    """Yield the cells of each table of a text, and the items of each list below a heading."""
    below = 0  # where the last table or list ends
    for top in PATTERNS["top"].finditer(text) if "\n" in text else ():
        if top.start() >= below:
            delimiters = [d for d in _CELL if d in top[0]]
            for part in (delimiters and _table(text, top, delimiters[0])) or _list(text, top):
                below = part.end
                yield part


@lru_cache(maxsize=4096)
def _families(cell: str) -> frozenset[str]:
    found = Context(cell).families
    return frozenset(found or (kind for kind, pattern in _NAMED.items() if pattern.search(cell)))


def _table(text: str, top: re.Match[str], delimiter: str) -> list[Part]:
    """Return the cells below a header of two names or more, of which one is a label."""
    if text[top.end() + 1 :].partition("\n")[0].count(delimiter) < top[0].count(delimiter):
        return []
    names = [cell["v"].strip() for cell in _CELL[delimiter].finditer(top[0])]
    are_names = len(names) > 1 and all(map(PATTERNS["header"].fullmatch, names))
    if not (are_names and any(map(_families, names))):
        return []
    parts = list[Part]()
    for line in PATTERNS["line"].finditer(text, top.end() + 1):
        cells = [cell.span("v") for cell in _CELL[delimiter].finditer(line[0])]
        if len(cells) == len(names):
            # The words that begin the line name its values too: first, where they are no name.
            key, of_key, is_label = "", frozenset[str](), False
            for name, (a, b) in zip(names, cells, strict=True):
                cell, of_name = line[0][a:b].strip(), _families(name)
                is_other = of_name == {OTHER_FAMILY} and of_key <= {OTHER_FAMILY, "name"}
                is_of_name = not of_key or (of_name - {OTHER_FAMILY} and not is_label)
                heading = name if is_of_name else f"{name}: {key}"
                if name and fold_word(cell) not in LABELS:
                    parts.append(Part(line.start() + a, line.start() + b, heading, is_other))
                if not key and re.fullmatch(r"\D*[^\W\d_]\D*", cell):
                    key, of_key = cell, _families(cell)
                    is_word = fold_word(cell) in LABELS or "password" in of_key
                    is_label = is_word and "name" in of_name and OTHER_FAMILY not in of_key
        elif not PATTERNS["ruler"].fullmatch(line[0]):
            break
    return [part for part in parts if part.start < part.end]


def _list(text: str, top: re.Match[str]) -> list[Part]:
    """Return the items below a heading, up to another line."""
    parts = list[Part]()
    has_heading = PATTERNS["heading"].fullmatch(top[0])
    for line in PATTERNS["line"].finditer(text, top.end() + 1) if has_heading else ():
        if item := PATTERNS["item"].fullmatch(line[0]):
            a, b = item.span(str(item.lastgroup))
            parts.append(Part(line.start() + a, line.start() + b, top[0].strip(" #*:")))
        elif line[0].strip():
            break
    return parts
