"""Passages that two texts share word for word: runs of 13 words.

The measure by which GPT-3's test sets were cleaned (Brown et al. 2020, *Language Models are
Few-Shot Learners*, appendix C): runs of 13 words, in lower case and without punctuation, those
that turn up in more than ten documents being boilerplate. Only long texts are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

WORDS = 13
# Words. In a shorter text 13 of them are much of a set phrase ("please note that I do not need help
# with ..."), and a copy of such a text is a near-duplicate anyway.
LONG = 50
BOILERPLATE = 10  # rows

_WORD = re.compile(r"\w+")


def runs(text: str, least: int = LONG) -> list[str]:
    """Return each run of 13 words once, in order; a text of fewer than `least` words has none."""
    words = _WORD.findall(text.lower())
    if len(words) < least:
        return []
    found = (" ".join(words[k : k + WORDS]) for k in range(len(words) - WORDS + 1))
    return list(dict.fromkeys(found))


def rows_by_run(
    texts: Sequence[str], only: Mapping[str, object] | None = None
) -> dict[str, list[int]]:
    """Return the places of the texts that hold each run; `only` these, to bound the memory."""
    places: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        for run in runs(text):
            if only is None or run in only:
                places.setdefault(run, []).append(i)
    return places


def shared(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield (i, j, run): text i on the left shares a run with text j, the first on the right.

    One for each text on the left that has any. Runs in more than ten texts are boilerplate.
    """
    ours = rows_by_run(left)
    theirs = rows_by_run(right, only=ours)
    first: dict[int, tuple[int, str]] = {}
    for run, rows in ours.items():
        found = theirs.get(run, [])
        if found and len(found) + len(rows) <= BOILERPLATE:
            for i in rows:
                first[i] = min(first.get(i, (found[0], run)), (found[0], run), key=lambda f: f[0])
    yield from ((i, j, run) for i, (j, run) in sorted(first.items()))
