"""Metamorphic relations as gates: what must hold between the answers to two forms of a question.

A change is a function of a text and a number, which selects one of the possible changes; where none
is possible, it returns the text as it is. Rows and numbers are drawn uniformly with a fixed seed,
which the interval of a rate needs (hypothesis searches for failures rather than a fair sample).
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import eq
from random import Random
from typing import Any

from tunegate import Ask, Dataset, Example, Findings, LabelRule, Prediction, Predictions, Score
from tunegate.data.comparison import is_label
from tunegate.errors import ConfigError
from tunegate.results.labels import exact
from tunegate.results.score import not_applicable_score
from tunegate.utils.text import shorten

from ..stats import share
from ..text.display import quote_line

Change = Callable[[str, int], str]
Read = Callable[[str], str | None]

MEASURED_SHARE = 0.7  # of the calls; the rest makes failing cases small
_WORD = re.compile(r"\S+\s*")


@dataclass(frozen=True)
class Case:
    """A text, its changed form, and what was read of the answers to both."""

    example: Example
    kind: str
    original: str
    changed: str
    before: str | None
    after: str | None = None
    error: str = ""

    @property
    def evidence(self) -> str:
        """Both answers and the changed text, or the error, on one line."""
        answers = (shorten(answer or "no label", 60) for answer in (self.before, self.after))
        shown = f"{' -> '.join(answers)}: {quote_line(self.changed, 90)}"
        return f"no answer: {self.error}" if self.error else shown


@dataclass(frozen=True)
class Relation:
    """What must hold between the answers to a question and to its forms, by the kind of change."""

    name: str
    changes: Mapping[str, Change]
    holds: Callable[[Any, Any], bool] = eq  # of both answers; by default they have the same label
    calls: int = 200
    by_word: bool = False  # halves of a question and of a form with as many words are forms too

    def __call__(
        self, predictions: Predictions, test: Dataset, ask: Ask, *, label: LabelRule = exact
    ) -> Score:
        """Return the share of cases in which it does not hold.

        Every change is tried on the same number of test rows, in one batch; `predictions` answers
        the unchanged ones. Further batches make the failing cases small, one of each kind first. At
        most `calls` questions are asked in all. The cases of a row are one unit of the interval.
        """
        read: Read = label.read if self.holds is eq else str
        rows = [p for p in predictions if self.holds is not eq or is_label(read(p.expected) or "")]
        if 2 * (left_out := len(predictions) - len(rows)) > len(predictions):
            reason = "answers are not labels: how they are written may change"
            return not_applicable_score(self.name, f"{left_out:,} of {len(predictions):,} {reason}")
        try:
            untried = list(self.draw(rows, test, read))
        except ConfigError as error:
            return Score(math.nan, name=self.name, hints=(str(error),))
        answers = ask(with_user_texts([(case.example, case.changed) for case in untried]))
        # A model that cannot be asked gives no answers at all.
        both = zip(untried, answers, strict=False)
        if not (cases := [replace(case, after=read(a.got), error=a.error) for case, a in both]):
            hint = "no calls allowed, or a model of fixed answers"
            if self.calls >= len(self.changes) and not untried and any(not p.error for p in rows):
                hint = f"{', '.join(self.changes)}: no row is changed"
            return Score(math.nan, name=self.name, hints=(hint,))
        is_broken = [bool(c.error) or not self.holds(c.before, c.after) for c in cases]
        broken = [case for case, is_one in zip(cases, is_broken, strict=True) if is_one]
        small = self._made_small([c for c in broken if not c.error], ask, read, len(cases))
        shown = [*small, *(case for case in broken if case.error)]
        found = [case.example.finding(case.kind, case.evidence) for case in shown]
        misses = Findings("flips", found, split="test", n=len(cases))
        n, hits = (Counter(case.kind for case in some) for some in (cases, broken))
        by_rate = sorted(n, key=lambda kind: -hits[kind] / n[kind])
        lines = [f"{kind:<14}{hits[kind]:>4,} of {n[kind]:,}" for kind in by_rate]
        hints = list[str]()
        if broken:
            kinds = ", ".join(" ".join(line.split()) for line in lines[: len(hits)])
            least = min(misses, key=lambda finding: len(finding.evidence))
            hints = [f"labels changed under {kinds}; other ways of writing: none"] * (len(n) > 1)
            hints += [f"the smallest: {least.kind}, line {least.line}: {least.evidence}"]
        hints += [f"left out: {left_out:,} rows, whose reply is no label"] * bool(left_out)
        by_row = {p.row: replace(p, group=p.group or p.request or str(p.row)) for p in predictions}
        return share(
            self.name, is_broken, [replace(by_row[c.example.row], request="") for c in cases],
            missing=[bool(case.error) for case in cases], higher_is_better=False, misses=misses,
            detail="\n".join(lines), hints=hints,
            signature=f"{len(n)} perturbation{'s' * (len(n) > 1)}, seed 0; {label.name}",
        )  # fmt: skip

    def draw(self, predictions: Sequence[Prediction], test: Dataset, read: Read) -> Iterator[Case]:
        """Yield as many cases of each kind, on rows it changes; ConfigError for other than text."""
        random, kinds = Random(0), max(len(self.changes), 1)
        per_kind = max(int(self.calls * MEASURED_SHARE), min(self.calls, kinds)) // kinds
        rows = [p for p in predictions if not p.error]
        for kind, change in self.changes.items():
            drawn_count = 0
            for p in random.sample(rows, len(rows)):
                example, which = test[p.row], random.randrange(2**16)
                contents = [m.get("content") for m in example.messages if m["role"] == "user"]
                plain = contents[-1] if contents and isinstance(contents[-1], str) else ""
                if not isinstance(changed := change(plain, which), str):
                    given = f"{type(changed).__name__} for {quote_line(plain, 60)}"
                    raise ConfigError(f"{kind} returns {given}; a text is needed")
                if drawn_count < per_kind and plain.strip() and changed != plain:
                    drawn_count += 1
                    yield Case(example, kind, plain, changed, read(p.got))

    def _made_small(self, broken: list[Case], ask: Ask, read: Read, asked: int) -> Iterator[Case]:
        """Yield cases halved for as long as one half fails too, the first of each kind first."""
        # The first step of delta debugging (Zeller & Hildebrandt 2002, IEEE TSE 28(2):183-200).
        waves, count_of_kind = defaultdict[int, list[Case]](list), Counter[str]()
        for case in broken:
            waves[count_of_kind[case.kind]].append(case)
            count_of_kind[case.kind] += 1
        for wave in waves.values():
            while wave:
                halves = [(i, half) for i, case in enumerate(wave) for half in self._halves(case)]
                halves = halves[: (self.calls - asked) // 2]
                asked += 2 * len(halves)
                texts = [(h.example, t) for _, h in halves for t in (h.original, h.changed)]
                answers = ask(with_user_texts(texts)) if texts else []
                got = [None if a.error else read(a.got) for a in answers]
                smaller: dict[int, Case] = {}
                for (i, half), before, after in zip(halves, got[::2], got[1::2], strict=True):
                    # A half with another label means something else.
                    is_same = before == half.before if self.holds is eq else before is not None
                    if is_same and after is not None and not self.holds(before, after):
                        smaller.setdefault(i, replace(half, before=before, after=after))
                yield from (case for i, case in enumerate(wave) if i not in smaller)
                wave = [smaller[i] for i in sorted(smaller)]

    def _halves(self, case: Case) -> Iterator[Case]:
        """Yield both halves of a case, in words, that are still changed."""
        plain, changed = _WORD.findall(case.original), _WORD.findall(case.changed)
        middle = len(plain) // 2
        for part in (slice(0, middle), slice(middle, None)) if middle else ():
            half = "".join(plain[part])
            # With another number of words (a greeting) the halves do not correspond.
            aligned = self.by_word and len(plain) == len(changed)
            other = "".join(changed[part]) if aligned else self.changes[case.kind](half, 0)
            if isinstance(other, str) and half != other:
                yield replace(case, original=half, changed=other)


def relation(
    *, calls: int = 200, holds: Callable[[str, str], bool] = eq
) -> Callable[[Change], Relation]:
    """Make a relation, of the function's name, of a function that changes a text.

    `holds` is given the texts of both answers; without it, their labels must be the same.
    """
    return lambda change: Relation(change.__name__, {change.__name__: change}, holds, calls)


def with_user_texts(texts: Sequence[tuple[Example, str]]) -> Dataset:
    """Return these examples, each with another text as the content of its last user message."""
    examples: list[Example] = []
    for row, (example, text) in enumerate(texts):
        messages = list(example.messages)
        last = max(i for i, message in enumerate(messages) if message["role"] == "user")
        messages[last] = {**messages[last], "content": text}
        examples.append(Example(row, example.line, {**example.fields, "messages": messages}))
    return Dataset(examples)
