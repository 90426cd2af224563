"""Preferences: the two replies of a row must differ, and rows must not prefer the opposite.

For rows with a rejected reply, which DPO trains on. Its loss depends only on the difference between
the two replies (Rafailov et al. 2023, arXiv:2305.18290, eq. 7): what they have in common has no
effect, and the effects of two rows that prefer the opposite cancel out.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator

from tunegate import Finding, check
from tunegate.checking.decorator import rows_fingerprint
from tunegate.data.canonical import content_text, target_of
from tunegate.data.comparison import equal_text
from tunegate.data.dataset import Dataset, Example, rejected_reply
from tunegate.similarity import ratio

from ..text.display import quote_line

# Rules of thumb: of fewer pairs a large share may be chance.
MIN_PAIRS = 20
MAX_LONGER_SHARE = 0.9  # of the pairs, those whose preferred reply is the longer one


@check(name="preferences")
def find(dataset: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """Yield rows without a preference, rows with equal replies, and rows that contradict another.

    Where no row has a rejected reply nothing is checked. "no preference": other rows have a
    rejected reply. "equal": both replies are the same but for white space; the loss of such a row
    stays ln 2 and its gradient is 0. "contradiction": other rows prefer the opposite of the same
    two replies to an identical context; one finding for each row of the minority (in a tie, the
    later). Empty and malformed replies are findings of `format.find`.

    Hints: how many pairs are nearly equal, for which DPO may make the preferred reply less likely
    too (Pal et al. 2024, arXiv:2402.13228); how often the preferred reply is the longer one. Above
    90 % of at least 20 pairs the model may learn length instead of quality (Park et al. 2024,
    arXiv:2403.19159). From the `tunegate.similarity.ratio` `similarity` on, 0..1, a pair is nearly
    equal.
    """
    pairs = [(example, reply) for example in dataset if (reply := rejected_reply(example))]
    n = len(pairs)
    if not pairs:
        return
    for example in dataset:
        if not rejected_reply(example):
            evidence = f"the row has no rejected reply; {n:,} of {len(dataset):,} rows have one"
            yield example.finding("no preference", evidence)
    choices: defaultdict[Hashable, list[tuple[Example, Hashable]]] = defaultdict(list)
    near_lines, longer = [], 0
    for example, rejected_message in pairs:
        preferred, rejected = example.reply, content_text(rejected_message)
        longer += len(preferred) > len(rejected)
        targets = map(target_of, (example.messages[-1], rejected_message))
        preferred_key, rejected_key = (target.key(equal_text) for target in targets)
        if preferred_key == rejected_key:
            evidence = f"both replies are {quote_line(preferred)}; nothing can be learnt from them"
            yield example.finding("equal", evidence)
            continue
        replies = frozenset((preferred_key, rejected_key))
        choices[example.context, replies].append((example, preferred_key))
        a, b = preferred.lower(), rejected.lower()
        if a and b and ratio(a, b) >= similarity:
            near_lines.append(str(example.line))
    for votes in choices.values():
        winner = Counter(choice for _, choice in votes).most_common(1)[0][0]
        first = next(example for example, choice in votes if choice == winner)
        fingerprint = rows_fingerprint([example for example, _ in votes])
        for example, choice in votes:
            if choice != winner:
                where = f"line {first.line} prefers what is rejected here"
                evidence = f"{where}: {quote_line(example.prompt)}"
                yield example.finding("contradiction", evidence, fingerprint=fingerprint)
    if near_lines:
        lines_text = ", ".join(near_lines[:5]) + (", ..." if len(near_lines) > 5 else "")
        alike = f"{len(near_lines):,} of {n:,} pairs (line {lines_text}) are alike"
        advice = "DPO may make the preferred reply less likely too"
        evidence = f"{alike} to {similarity:g} or more: {advice}"
        yield Finding.dataset_hint("nearly equal", evidence)
    evidence = f"the preferred reply is the longer one in {longer:,} of {n:,} pairs"
    if n >= MIN_PAIRS and longer > MAX_LONGER_SHARE * n:
        evidence += ": the model may learn to be long, not to be good"
    yield Finding.dataset_hint("length", evidence)
