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

from tunegate.checking.decorator import check
from tunegate.checking.fingerprint import rows_fingerprint
from tunegate.data.comparison import group_indices, non_text_parts, tool_calls_json
from tunegate.data.dataset import Dataset, Example, content_text, rejected_messages, rejected_reply
from tunegate.results.finding import Finding
from tunegate.similarity import search

from ..text.display import normalise, quote_line

MIN_PAIRS = 20  # pairs: of fewer, nearly all longer ones may well be chance
MAX_LONGER_SHARE = 0.9  # of the pairs: a rule of thumb, as is the number above

Message = Mapping[str, Any]


@check(name="preferences")
def find(dataset: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """Every row prefers one reply to another one, and no two rows prefer the opposite.

    Where no row has a rejected reply nothing is looked at. "no preference": a row without one in a
    file where others have one. "equal": both replies are the same, white space aside; their loss
    is ln 2 whatever is learnt, its gradient 0. "contradiction": the same prompt with the same two
    replies, preferred the other way round; one finding for each row that the fewer agree with (of
    a tie, the later). An empty or malformed reply is told of by `format.find`.

    Hints: how many pairs are nearly equal, from `similarity` on (0..1, `tunegate.similarity.search`); there
    DPO may make the preferred reply less likely too (Pal et al. 2024, arXiv:2402.13228). How often
    the preferred reply is the longer one; above 90 % of 20 pairs or more, by rule of thumb, that
    the model may learn length for quality (Park et al. 2024, arXiv:2403.19159).
    """
    pairs = [example for example in dataset if rejected_reply(example)]
    if not pairs:
        return
    yield from _missing_preferences(dataset, len(pairs))
    equal_pairs = [
        e for e in pairs if _reply_key(e.messages[-1]) == _reply_key(_rejected_message(e))
    ]
    for example in equal_pairs:
        evidence = f"both replies are {quote_line(example.reply)}; nothing can be learnt from them"
        yield Finding(example.row, example.line, "equal", evidence)
    equal_rows = {example.row for example in equal_pairs}
    different = [e for e in pairs if e.row not in equal_rows]
    yield from _contradictions(different)
    yield from _nearly_equal_hint(different, len(pairs), similarity)
    yield _length_hint(pairs)


def _rejected_message(example: Example) -> Message:
    return rejected_messages(example)[-1]


def _reply_key(message: Message) -> Hashable:
    """Return what a reply says, white space aside: its text, and what it holds beside that."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    non_text = [p for p in parts if not (isinstance(p, dict) and "text" in p)]
    other_fields = {k: v for k, v in message.items() if k not in ("role", "content", "weight")}
    return "".join(content_text(message).split()), json.dumps(
        [non_text, other_fields], sort_keys=True
    )


def _missing_preferences(dataset: Dataset, pairs: int) -> Iterator[Finding]:
    for example in dataset:
        if not rejected_reply(example):
            evidence = f"the row has no rejected reply; {pairs:,} of {len(dataset):,} rows have one"
            yield Finding(example.row, example.line, "no preference", evidence)


def _contradictions(pairs: Sequence[Example]) -> Iterator[Finding]:
    for indices in group_indices(pairs, _choice_key).values():
        rows = [pairs[k] for k in indices]
        votes = Counter(map(_preferred_key, rows))
        if len(votes) == 1:
            continue
        winner, about = votes.most_common(1)[0][0], rows_fingerprint(rows)
        first = next(e for e in rows if _preferred_key(e) == winner)
        for example in rows:
            if _preferred_key(example) != winner:
                explanation = f"line {first.line} prefers what is rejected here"
                evidence = f"{explanation}: {quote_line(example.prompt)}"
                yield Finding(example.row, example.line, "contradiction", evidence, about=about)


def _preferred_key(example: Example) -> Hashable:
    return _reply_key(example.messages[-1])


def _choice_key(example: Example) -> Hashable:
    """Return what a row decides between: its question, and the two replies in no order."""
    question_example = Example(example.row, example.line, {"messages": example.messages[:-1]})
    question = (
        example.system,
        normalise(example.prompt),
        non_text_parts(question_example),
        tool_calls_json(question_example),
    )
    return question, frozenset(map(_reply_key, (example.messages[-1], _rejected_message(example))))


def _nearly_equal_hint(
    pairs: Sequence[Example], total: int, similarity: float
) -> Iterator[Finding]:
    texts = ((e, e.reply.lower(), content_text(_rejected_message(e)).lower()) for e in pairs)
    near_lines = [e.line for e, a, b in texts if a and b and search.ratio(a, b) >= similarity]
    if near_lines:
        lines_text = ", ".join(map(str, near_lines[:5])) + (", ..." if len(near_lines) > 5 else "")
        pairs_text = f"{len(near_lines):,} of {total:,} pairs (line {lines_text}) are alike to {similarity:g} or more"
        advice = "DPO may make the preferred reply less likely too"
        yield Finding(None, None, "nearly equal", f"{pairs_text}: {advice}", hint=True)


def _length_hint(pairs: Sequence[Example]) -> Finding:
    sizes = [(len(e.reply), len(content_text(_rejected_message(e)))) for e in pairs]
    longer, n = sum(a > b for a, b in sizes), len(pairs)
    evidence = f"the preferred reply is the longer one in {longer:,} of {n:,} pairs"
    if n >= MIN_PAIRS and longer > MAX_LONGER_SHARE * n:
        evidence += ": the model may learn to be long, not to be good"
    return Finding(None, None, "length", evidence, hint=True)
