"""Say where in a text each rule can find anything: most patterns search little, or nothing."""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from .rule import Rule

Spans = list[tuple[int, int]]
_SHORT = 200  # characters: a shorter text is searched as a whole
_NUMBER = re.compile(r"\d(?:[^\w\n]{0,4}\d)*")
_WORD = re.compile(r"[a-zß-öø-ÿ]+")  # those of `Rule.words` are Latin
_SPACE = re.compile(r"\s")
_ZEROS = str.maketrans("123456789", "000000000")
_REACH = 40  # characters around a number; a street has its number behind it
_REACH_OF_STREET = 120
# Around a word or a sign: a closing has its name on the next line, an address its user before @.
_BEFORE_WORD, _BEFORE_SIGN, _BEHIND = 30, 70, 140


class Prefilter:
    """Chooses the rules that can find anything in a text, by its numbers, words and labels."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._by_family = dict[str, list[int]]()
        for index, rule in enumerate(rules):
            for family in rule.label_families or ("",):
                self._by_family.setdefault(family, []).append(index)

    def searched(
        self, text: str, offset: int, families: Callable[[], Collection[str]]
    ) -> Iterator[tuple[int, Spans]]:
        """Yield the index of each rule that can find anything behind `offset`, and where.

        No word and no number goes on behind the end of a span. `families` returns the families of
        the labels; it is called where the text has a number.
        """
        shape = text.lower().translate(_ZEROS)
        numbers = [(m[0].count("0"), *m.span()) for m in _NUMBER.finditer(shape, offset)]
        most_digits = max(numbers, default=(0,))[0]
        words = set(_WORD.findall(shape))
        known = dict[tuple[object, ...], Spans]()
        by_family = [self._by_family.get(f, ()) for f in ("", *(families() if numbers else ()))]
        for index in sorted({index for indexes in by_family for index in indexes}):
            rule = self._rules[index]
            if most_digits < rule.min_digits or (rule.words and words.isdisjoint(rule.words)):
                continue
            hits = tuple([sign for sign in rule.signs if sign in shape]) if rule.signs else ()
            if rule.signs and not hits:
                continue
            hits = hits or tuple(words & rule.words)
            if len(text) < _SHORT or not (rule.min_digits or hits):
                yield index, [(0, len(text))]
            elif rule.min_digits:
                reach = _REACH_OF_STREET if rule.words else _REACH
                if (rule.min_digits, reach) not in known:
                    anchors = [(a, b) for n, a, b in numbers if n >= rule.min_digits]
                    known[rule.min_digits, reach] = list(windows(text, anchors, reach, reach))
                yield index, known[rule.min_digits, reach]
            else:
                before = _BEFORE_WORD if hits[0].isalpha() else _BEFORE_SIGN
                if hits not in known:
                    places = sorted(_places(shape, hits))
                    known[hits] = list(windows(text, places, before, _BEHIND))
                yield index, known[hits]


def number_windows(text: str, reach: int) -> Spans:
    """Return the spans of a text around its numbers of two digits or more."""
    if len(text) < _SHORT:
        return [(0, len(text))]
    numbers = [m.span() for m in _NUMBER.finditer(text) if m.end() - m.start() > 1]
    return list(windows(text, numbers, reach, reach))


def windows(text: str, anchors: Spans, before: int, behind: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of a text that lie within reach of an anchor; each ends before a space."""
    start, end = 0, -1
    for a, b in [*anchors, (sys.maxsize, sys.maxsize)]:
        if a - before > end:
            if end >= 0:
                space = _SPACE.search(text, min(end, len(text)))
                yield start, space.start() if space else len(text)
            start = max(0, a - before)
        end = max(end, b + behind)


def _places(text: str, signs: Iterable[str]) -> Iterator[tuple[int, int]]:
    for sign in signs:
        start = text.find(sign)
        while start >= 0:
            yield start, start + len(sign)
            start = text.find(sign, start + 1)
