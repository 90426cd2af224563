"""Preferences: does each pair of replies say which of two is better, and do the pairs agree?

For rows that carry a rejected reply, as DPO learns from. Its loss looks at nothing but the
difference between the two (Rafailov et al. 2023, arXiv:2305.18290, eq. 7): what they have in common
teaches nothing, and two rows that prefer the opposite teach nothing together.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from tunegate import similar
from tunegate.checking import check
from tunegate.dataset import Dataset, Example, content_text
from tunegate.findings import Finding
from tunegate.identity import together
from tunegate.preferences import counterpart, rejected
from tunegate.prompts import calls, pictures, places_by

from .wording import line, normalised

FEWEST = 20  # pairs: of fewer, nearly all longer ones may well be chance
LONGER = 0.9  # of the pairs: a rule of thumb, as is the number above

Message = Mapping[str, Any]


@check(name="preferences")
def find(dataset: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """Every row prefers one reply to another one, and no two rows prefer the opposite.

    Where no row has a rejected reply nothing is looked at. "no preference": a row without one in a
    file where others have one. "equal": both replies are the same, white space aside; their loss
    is ln 2 whatever is learnt, its gradient 0. "contradiction": the same prompt with the same two
    replies, preferred the other way round; one finding for each row that the fewer agree with (of
    a tie, the later). An empty or malformed reply is told of by `format.find`.

    Hints: how many pairs are nearly equal, from `similarity` on (0..1, `tunegate.similar`); there
    DPO may make the preferred reply less likely too (Pal et al. 2024, arXiv:2402.13228). How often
    the preferred reply is the longer one; above 90 % of 20 pairs or more, by rule of thumb, that
    the model may learn length for quality (Park et al. 2024, arXiv:2403.19159).
    """
    pairs = [example for example in dataset if rejected(example)]
    if not pairs:
        return
    yield from _without(dataset, len(pairs))
    equal = [e for e in pairs if _said(e.messages[-1]) == _said(_other(e))]
    for example in equal:
        evidence = f"both replies are {line(example.reply)}; nothing can be learnt from them"
        yield Finding(example.row, example.line, "equal", evidence)
    same = {example.row for example in equal}
    apart = [e for e in pairs if e.row not in same]
    yield from _contradictions(apart)
    yield from _alike(apart, len(pairs), similarity)
    yield _lengths(pairs)


def _other(example: Example) -> Message:
    return counterpart(example)[-1]


def _said(message: Message) -> Hashable:
    """Return what a reply says, white space aside: its text, and what it holds beside that."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    shown = [p for p in parts if not (isinstance(p, dict) and "text" in p)]
    rest = {k: v for k, v in message.items() if k not in ("role", "content", "weight")}
    return "".join(content_text(message).split()), json.dumps([shown, rest], sort_keys=True)


def _without(dataset: Dataset, pairs: int) -> Iterator[Finding]:
    for example in dataset:
        if not rejected(example):
            evidence = f"the row has no rejected reply; {pairs:,} of {len(dataset):,} rows have one"
            yield Finding(example.row, example.line, "no preference", evidence)


def _contradictions(pairs: Sequence[Example]) -> Iterator[Finding]:
    for places in places_by(pairs, _matter).values():
        rows = [pairs[k] for k in places]
        votes = Counter(map(_preferred, rows))
        if len(votes) == 1:
            continue
        winner, about = votes.most_common(1)[0][0], together(rows)
        first = next(e for e in rows if _preferred(e) == winner)
        for example in rows:
            if _preferred(example) != winner:
                other = f"line {first.line} prefers what is rejected here"
                shown = f"{other}: {line(example.prompt)}"
                yield Finding(example.row, example.line, "contradiction", shown, about=about)


def _preferred(example: Example) -> Hashable:
    return _said(example.messages[-1])


def _matter(example: Example) -> Hashable:
    """Return what a row decides between: its question, and the two replies in no order."""
    asked = Example(example.row, example.line, {"messages": example.messages[:-1]})
    question = example.system, normalised(example.prompt), pictures(asked), calls(asked)
    return question, frozenset(map(_said, (example.messages[-1], _other(example))))


def _alike(pairs: Sequence[Example], total: int, similarity: float) -> Iterator[Finding]:
    texts = ((e, e.reply.lower(), content_text(_other(e)).lower()) for e in pairs)
    near = [e.line for e, a, b in texts if a and b and similar.ratio(a, b) >= similarity]
    if near:
        where = ", ".join(map(str, near[:5])) + (", ..." if len(near) > 5 else "")
        what = (
            f"{len(near):,} of {total:,} pairs (line {where}) are alike to {similarity:g} or more"
        )
        advice = "DPO may make the preferred reply less likely too"
        yield Finding(None, None, "nearly equal", f"{what}: {advice}", hint=True)


def _lengths(pairs: Sequence[Example]) -> Finding:
    sizes = [(len(e.reply), len(content_text(_other(e)))) for e in pairs]
    longer, n = sum(a > b for a, b in sizes), len(pairs)
    evidence = f"the preferred reply is the longer one in {longer:,} of {n:,} pairs"
    if n >= FEWEST and longer > LONGER * n:
        evidence += ": the model may learn to be long, not to be good"
    return Finding(None, None, "length", evidence, hint=True)
