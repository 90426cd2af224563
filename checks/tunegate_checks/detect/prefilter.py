"""Search a text for the patterns of rules, where its numbers, words and labels allow a match."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import repeat

from .rule import DIGIT, Rule, compiled

# For a shape, where all digits are 0: a pattern that begins with a character is searched for fast.
_IN_WORDS = "".join(c for c in map(chr, range(256)) if c.isalnum()) + "_"
_NUMBER = re.compile(rf"0(?:[^{_IN_WORDS}\n]{{0,4}}0)*")
_FIRST_DIGIT = re.compile(r"0(?<![0.]0)(?<!0-0)")  # where a number can begin
# In Latin-1, in lower case: all words of rules are Latin, and other letters become question marks.
_LETTERS = bytes(b for b in range(256) if chr(b).islower() and chr(b) not in "ªº")
_STEM = re.compile("0?[^0].?")  # of a sign: what has no stem of it has not the sign
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_OUTLINE = bytes.maketrans(_LETTERS + b"123456789", b"A" * len(_LETTERS) + b"0" * 9)
_WORDS = bytes(b if b in _LETTERS else 32 for b in range(256))
_SHORT = 400  # characters
_SPACE = re.compile(r"\s")
_REACH = 100  # characters around a number or a sign
_BESIDE = 10  # characters before and behind a number, in which its signs stand


class Clues:
    """What a text shows at a glance; the numbers are those behind `offset`."""

    def __init__(self, text: str, offset: int = 0) -> None:
        self.offset = offset
        latin = text.lower().encode("latin-1", "replace")
        self.shape = latin.translate(_ZEROS).decode("latin-1")
        self.words = f" {latin.translate(_WORDS).decode('latin-1')} "
        # Digits, start and end of each; and what stands around them.
        found = _NUMBER.finditer(self.shape, offset)
        self.numbers = [(m[0].count("0"), m.start(), m.end()) for m in found]
        around = {latin[max(0, a - _BESIDE) : b + _BESIDE] for _, a, b in self.numbers}
        self.outline = b"\n".join(around).translate(_OUTLINE).decode("latin-1")


class Prefilter:
    """Searches for the rules that can find anything in a text, and leaves out the others."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._by_word, self._by_family = dict[str, list[int]](), dict[str, list[int]]()
        self._by_shape = list[tuple[str, int]]()
        counts = range(max(rule.min_digits for rule in rules) + 1)
        # By the most digits, and by a part that many signs have in common.
        self._by_outline = [dict[str, list[tuple[str, int]]]() for _ in counts]
        for index, rule in enumerate(rules):
            for family in rule.label_families:
                self._by_family.setdefault(family, []).append(index)
            if rule.label_families:
                continue
            for word in (words := rule.first_words | rule.words):
                self._by_word.setdefault(word, []).append(index)
            signs = [(sign, index) for sign in rule.signs or ("",) if not words]
            for table in self._by_outline[rule.min_digits :] if rule.min_digits else ():
                for sign, _ in signs:
                    stem = _STEM.search(sign)
                    table.setdefault(stem[0] if stem else sign, []).append((sign, index))
            self._by_shape += signs if not rule.min_digits else ()
        self._words = frozenset(self._by_word)

    def matches(
        self, text: str, clues: Clues, families: Callable[[], Collection[str]]
    ) -> Iterator[tuple[int, int, int]]:
        """Yield the index of each rule that matches, with start and end of the value."""
        words, shape, outline = set(clues.words.split()), clues.shape, clues.outline
        most_digits = max(clues.numbers, default=(0,))[0]
        by_outline = self._by_outline[min(most_digits, len(self._by_outline) - 1)]
        signed = {i for sign, i in self._by_shape if sign in shape}
        for stem, of_stem in by_outline.items():
            if stem in outline:
                signed.update([i for sign, i in of_stem if sign in outline])
        chosen = signed.copy()
        for word in words & self._words:
            chosen.update(self._by_word[word])
        for family in families() if clues.numbers else ():
            chosen.update(self._by_family.get(family, ()))
        known = dict[object, list[tuple[int, int]]]()
        digits = list[int]()
        for index in sorted(chosen):
            rule = self._rules[index]
            if index not in signed:
                clue = outline if rule.min_digits else shape
                has_sign = not rule.signs or any(sign in clue for sign in rule.signs)
                if most_digits < rule.min_digits or not has_sign:
                    continue
            pattern, group = compiled(rule.pattern, re.IGNORECASE)
            found: Iterable[re.Match[str] | None]
            if rule.first_words:
                signs = [f" {word} " for word in words & rule.first_words]
                found = map(pattern.match, repeat(text), _places(clues.words, signs))
            elif rule.pattern.startswith(DIGIT):
                digits = digits or [m.start() for m in _FIRST_DIGIT.finditer(clues.shape)]
                found = map(pattern.match, repeat(text), digits)
            else:
                if (key := rule.min_digits or rule.signs) not in known:
                    signs_at = _places(shape, () if rule.min_digits else rule.signs or ("",))
                    numbers = [(a, b) for n, a, b in clues.numbers if 0 < rule.min_digits <= n]
                    known[key] = windows(text, numbers + [(a, a) for a in sorted(signs_at)], _REACH)
                found = [m for a, b in known[key] for m in pattern.finditer(text, a, b)]
            for match in found:
                if match and (match.start() >= clues.offset or not rule.within_text):
                    yield index, *match.span(group)


def _places(text: str, signs: Iterable[str]) -> Iterator[int]:
    for sign in signs:
        start = text.find(sign)
        while start >= 0:
            yield start
            start = text.find(sign, start + 1)


def windows(text: str, anchors: Iterable[tuple[int, int]], reach: int) -> list[tuple[int, int]]:
    """Return the spans within reach of an anchor, each up to a space; a short text as a whole."""
    if len(text) < _SHORT:
        return [(0, len(text))]
    spans = list[tuple[int, int]]()
    for a, b in anchors:
        if not spans or b + reach > spans[-1][1]:
            space = _SPACE.search(text, b + reach)
            start = spans.pop()[0] if spans and a - reach <= spans[-1][1] else max(0, a - reach)
            spans.append((start, space.start() if space else len(text)))
    return spans
