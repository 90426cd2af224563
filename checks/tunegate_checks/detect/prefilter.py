"""Search a text for the patterns of rules, where its numbers, words and labels allow a match."""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from .rule import DIGIT, Rule

Spans = list[tuple[int, int]]
_SHORT = 200  # characters
_NUMBER = re.compile(r"\d(?:[^\w\n]{0,4}\d)*")
_FIRST_DIGIT = re.compile(r"(?<![0.])(?<!0-)0")  # where a number can begin
_SPACE = re.compile(r"\s")
# In Latin-1: all words of rules are Latin, and a letter of another script becomes a question mark.
_LETTERS = bytes(b for b in range(256) if chr(b).islower() and chr(b) not in "ªº")
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_OUTLINE = bytes.maketrans(_LETTERS + b"123456789", b"A" * len(_LETTERS) + b"0" * 9)
_WORDS = bytes(b if b in _LETTERS else 32 for b in range(256))
_REACH = 40  # characters around a number; a street has its number behind it
_REACH_OF_STREET = 120
_BEFORE_SIGN, _BEHIND = 70, 140  # of a sign: the user of an address stands before @
_BESIDE = 10  # characters before and behind a number, in which its signs stand


@cache
def _compiled(pattern: str) -> tuple[re.Pattern[str], str | int]:
    """Return a pattern, compiled at the first text that needs it, and the group of its value."""
    compiled = re.compile(pattern, re.IGNORECASE)
    return compiled, "v" if "v" in compiled.groupindex else 0


class Clues(NamedTuple):
    """What a text shows at a glance, in lower case and with 0 for any digit."""

    shape: str
    near: str  # what stands around its numbers
    outline: str  # the same, with A for any letter
    words: str  # with spaces for what is no letter, one before and one behind
    numbers: list[tuple[int, int, int]]  # digits, start and end of each number


def clues_of(text: str, offset: int) -> Clues:
    """Return the clues of a text; the numbers are those behind `offset`."""
    latin = text.lower().encode("latin-1", "replace")
    shape, words = (latin.translate(table).decode("latin-1") for table in (_ZEROS, _WORDS))
    numbers = [(m[0].count("0"), *m.span()) for m in _NUMBER.finditer(shape, offset)]
    near = b"\n".join({latin[max(0, a - _BESIDE) : b + _BESIDE] for _, a, b in numbers})
    around = (near.translate(table).decode("latin-1") for table in (_ZEROS, _OUTLINE))
    return Clues(shape, *around, f" {words} ", numbers)


class Prefilter:
    """Searches for the rules that can find anything in a text, and leaves out the others."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._by_word, self._by_family = dict[str, list[int]](), dict[str, list[int]]()
        most = max(rule.min_digits for rule in rules)
        # By the digits of the longest number: signs for the first three clues, each with its rule.
        self._by_digits = [
            (list[tuple[str, int]](), list[tuple[str, int]](), list[tuple[str, int]]())
            for _ in range(most + 1)
        ]
        for index, rule in enumerate(rules):
            words = rule.first_words | rule.words
            for family in rule.label_families:
                self._by_family.setdefault(family, []).append(index)
            for word in words if not rule.label_families else ():
                self._by_word.setdefault(word, []).append(index)
            for sign in rule.signs or ("",) if not (rule.label_families or words) else ():
                clue = 0 if not rule.min_digits else 1 if re.search("[a-z]", sign) else 2
                for tables in self._by_digits[rule.min_digits :]:
                    tables[clue].append((sign, index))
        self._words = frozenset(self._by_word)

    def matches(
        self, text: str, clues: Clues, families: Callable[[], Collection[str]]
    ) -> Iterator[tuple[int, int, int]]:
        """Yield the index of each rule that matches, with start and end of the value.

        `families` returns the families of the labels; it is called where the text has a number.
        """
        words = set(clues.words.split())
        most_digits = max(clues.numbers, default=(0,))[0]
        by_digits = self._by_digits[min(most_digits, len(self._by_digits) - 1)]
        chosen = {i for clue, t in zip(clues, by_digits, strict=False) for s, i in t if s in clue}
        for word in words & self._words:
            chosen.update(self._by_word[word])
        for family in families() if clues.numbers else ():
            chosen.update(self._by_family.get(family, ()))
        known = dict[tuple[object, ...], Spans]()
        digits = list[int]()
        for index in sorted(chosen):
            rule = self._rules[index]
            if most_digits < rule.min_digits or not _has_sign(rule, clues):
                continue
            pattern, group = _compiled(rule.pattern)
            if rule.first_words:
                starts = [a for a, _ in _places(clues.words, words & rule.first_words, " ")]
            elif rule.pattern.startswith(DIGIT):
                digits = digits or [m.start() for m in _FIRST_DIGIT.finditer(clues.shape)]
                starts = digits
            else:
                for a, b in _spans(rule, text, clues, known):
                    for match in pattern.finditer(text, a, b):
                        yield index, *match.span(group)
                continue
            for start in starts:
                if found := pattern.match(text, start):
                    yield index, *found.span(group)


def _has_sign(rule: Rule, clues: Clues) -> bool:
    """Whether a rule that was chosen by a word or label has one of its signs, if there are any."""
    if not rule.signs or not (rule.label_families or rule.words):
        return True
    clue = clues.outline if rule.min_digits else clues.shape
    return any([sign in clue for sign in rule.signs])


def _spans(rule: Rule, text: str, clues: Clues, known: dict[tuple[object, ...], Spans]) -> Spans:
    """Return the spans of a text in which a rule is searched for; no word goes on behind one."""
    hits = () if rule.min_digits else tuple([s for s in rule.signs if s in clues.shape])
    key = (rule.min_digits, bool(rule.words), *hits)
    if key not in known:
        if rule.min_digits:
            anchors = [(a, b) for n, a, b in clues.numbers if n >= rule.min_digits]
            before = behind = _REACH_OF_STREET if rule.words else _REACH
        else:
            anchors, before, behind = sorted(_places(clues.shape, hits)), _BEFORE_SIGN, _BEHIND
        known[key] = list(windows(text, anchors, before, behind))
    return known[key]


def windows(
    text: str, anchors: Sequence[tuple[int, int]], before: int, behind: int
) -> Iterator[tuple[int, int]]:
    """Yield the spans of a text that lie within reach of an anchor; each ends before a space.

    A short text is yielded as a whole.
    """
    if len(text) < _SHORT:
        yield 0, len(text)
        return
    start, end = 0, -1
    for a, b in [*anchors, (sys.maxsize, sys.maxsize)]:
        if a - before > end:
            if end >= 0:
                space = _SPACE.search(text, min(end, len(text)))
                yield start, space.start() if space else len(text)
            start = max(0, a - before)
        end = max(end, b + behind)


def _places(text: str, signs: Iterable[str], beside: str = "") -> Iterator[tuple[int, int]]:
    """Yield the spans of signs that stand between two of what is `beside` them."""
    for sign in signs:
        wanted = f"{beside}{sign}{beside}"
        start = text.find(wanted)
        while start >= 0:
            yield start, start + len(sign)
            start = text.find(wanted, start + 1)
