"""Passages that two texts share word for word: runs of 13 words.

The measure by which GPT-3's test sets were cleaned (Brown et al. 2020, *Language Models are
Few-Shot Learners*, appendix C): runs of 13 words, in lower case and without punctuation, those
that turn up in more than ten documents being boilerplate. Only long texts are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

NGRAM_WORDS = 13
# Words. In a shorter text 13 of them are much of a set phrase ("please note that I do not need help
# with ..."), and a copy of such a text is a near-duplicate anyway.
MIN_WORDS = 50
BOILERPLATE_ROWS = 10  # rows

_WORD = re.compile(r"\w+")


def long_ngrams(text: str, min_words: int = MIN_WORDS) -> list[str]:
    """Return each run of 13 words once, in order; a text of fewer than `min_words` words has none."""
    all_words = _WORD.findall(text.lower())
    if len(all_words) < min_words:
        return []
    ngrams = (
        " ".join(all_words[k : k + NGRAM_WORDS]) for k in range(len(all_words) - NGRAM_WORDS + 1)
    )
    return list(dict.fromkeys(ngrams))


def rows_by_ngram(
    texts: Sequence[str], only: Mapping[str, object] | None = None
) -> dict[str, list[int]]:
    """Return the places of the texts that hold each run; `only` these, to bound the memory."""
    positions: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        for ngram in long_ngrams(text):
            if only is None or ngram in only:
                positions.setdefault(ngram, []).append(i)
    return positions


def shared_ngrams(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield (i, j, run): text i on the left shares a run with text j, the first on the right.

    One for each text on the left that has any. Runs in more than ten texts are boilerplate.
    """
    left_rows = rows_by_ngram(left)
    right_rows = rows_by_ngram(right, only=left_rows)
    first_match: dict[int, tuple[int, str]] = {}
    for ngram, rows in left_rows.items():
        right_matches = right_rows.get(ngram, [])
        if right_matches and len(right_matches) + len(rows) <= BOILERPLATE_ROWS:
            for i in rows:
                first_match[i] = min(
                    first_match.get(i, (right_matches[0], ngram)),
                    (right_matches[0], ngram),
                    key=lambda f: f[0],
                )
    yield from ((i, j, ngram) for i, (j, ngram) in sorted(first_match.items()))
