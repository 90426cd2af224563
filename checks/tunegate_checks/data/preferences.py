"""Preferences: the two replies of a row must differ, and rows must not prefer the opposite.

For rows with a rejected reply, which DPO trains on. Its loss depends only on the difference between
the two replies (Rafailov et al. 2023, arXiv:2305.18290, eq. 7): what they have in common has no
effect, and the effects of two rows that prefer the opposite cancel out.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator

from tunegate import Finding, check
from tunegate.checking.decorator import rows_fingerprint
from tunegate.data.canonical import target_of
from tunegate.data.comparison import equal_text
from tunegate.data.dataset import Dataset, Example, rejected_reply

from ..text.display import quote_line


@check(name="preferences")
def find(dataset: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """Yield rows without a preference, rows with equal replies, and rows that contradict another.

    Where no row has a rejected reply nothing is checked. "no preference": other rows have a
    rejected reply. "equal": both replies are the same but for white space; the loss of such a row
    stays ln 2 and its gradient is 0. "contradiction": other rows prefer the opposite of the same
    two replies to an identical context; one finding for each row of the minority (in a tie, the
    later). Empty and malformed replies are findings of `format.find`; `similarity` has no effect.
    """
    pairs = [(example, reply) for example in dataset if (reply := rejected_reply(example))]
    if not (n := len(pairs)):
        return
    for example in dataset:
        if not rejected_reply(example):
            evidence = f"the row has no rejected reply; {n:,} of {len(dataset):,} rows have one"
            yield example.finding("no preference", evidence)
    choices: defaultdict[Hashable, list[tuple[Example, Hashable]]] = defaultdict(list)
    for example, rejected_message in pairs:
        targets = map(target_of, (example.messages[-1], rejected_message))
        preferred_key, rejected_key = (target.key(equal_text) for target in targets)
        if preferred_key == rejected_key:
            quoted = quote_line(example.reply)
            fault = f"both replies are {quoted}; nothing can be learnt from them"
            yield example.finding("equal", fault)
            continue
        replies = frozenset((preferred_key, rejected_key))
        choices[example.context, replies].append((example, preferred_key))
    for votes in choices.values():
        winner = Counter(choice for _, choice in votes).most_common(1)[0][0]
        first = next(example for example, choice in votes if choice == winner)
        fingerprint = rows_fingerprint([example for example, _ in votes])
        for example, choice in votes:
            if choice != winner:
                where = f"line {first.line} prefers what is rejected here"
                evidence = f"{where}: {quote_line(example.prompt)}"
                yield example.finding("contradiction", evidence, fingerprint=fingerprint)
