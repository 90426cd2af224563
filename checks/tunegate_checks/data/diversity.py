"""Diversity: prompts and replies must differ enough, and be learnable; hints without a limit."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from tunegate import Dataset, Finding, check
from tunegate.utils.text import words_of

from ..text.replies import REFUSAL_START, facts_of

MAX_WORDS = 20_000  # distinct-n falls as a text grows, so it is measured on one length
# A label for inputs that fit no class.
OTHER_LABEL = re.compile(r"(?i)\W*(others?|none|unknown|unclear|misc\w*|outr[oa]s?|nenhum\w*)\b")


@check(name="diversity")
def find(
    dataset: Dataset, *, task: str, distinct: float | None = None, opening: float | None = None
) -> Iterator[Finding]:
    """Yield repetition among prompts and replies, and missing examples of "I do not know".

    Distinct-2 is the share of word pairs that are different pairs, over the first 20,000 words (Li
    et al. 2016, arXiv:1510.03055). Further hints: a classification without a class such as `other`,
    questions none of which is refused, and replies with many facts that their prompts lack.

    `task` is one of `size.SIZES`; `distinct` the least distinct-2 of prompts and of replies, by
    default below 0.1 is a hint; `opening` the largest share of prompts that begin with the same
    four words, by default above 0.1 is a hint.
    """
    n, prompts = len(dataset), [example.prompt for example in dataset]
    yield from _repetition_findings("prompts", prompts, distinct)
    if task not in ("classification", "multilabel", "extraction", "tools"):
        yield from _repetition_findings("replies", [example.reply for example in dataset], distinct)
    beginnings = (words_of(prompt.lower()[:200])[:4] for prompt in prompts)
    openings = Counter(" ".join(words) for words in beginnings if len(words) == 4)
    for words, count in openings.most_common(3):
        if count > 5 and count / n > (0.1 if opening is None else opening):
            share = f"{count:,} of {n:,} prompts ({100 * count / n:.0f} %)"
            evidence = f"{share} begin {words!r}: vary them, or move it to the system prompt"
            yield Finding.of_dataset("opening", evidence, hint=opening is None)
    # A model that has seen no example of "none" or "I do not know" answers everything.
    labels = {example.label for example in dataset}
    if task == "classification" and labels and not any(map(OTHER_LABEL.match, labels)):
        missing = "no class for what fits none of them (such as `other`)"
        yield Finding.dataset_hint("no way out", f"{missing}: each input gets one of these")
    if task != "qa":
        return
    if n and not any(REFUSAL_START.match(e.target.text) for e in dataset):
        evidence = "no reply says that it does not know: the model will answer what it cannot"
        yield Finding.dataset_hint("no way out", evidence)
    count = sum(bool(facts_of(e.reply, f"{e.system} {e.prompt}")) for e in dataset)
    if n >= 20 and count > 0.3 * n:
        share = f"{count:,} of {n:,} replies state numbers or names that"
        evidence = f"{share} their prompts do not hold: for facts, retrieval serves better"
        yield Finding.dataset_hint("facts", evidence)


def distinct_n(texts: Iterable[str], n: int = 2) -> float:
    """Return the share of different n-grams, over the first 20,000 words; 1 without n-grams."""
    ngrams: Counter[tuple[str, ...]] = Counter()
    remaining = MAX_WORDS
    for text in texts:
        tokens = words_of(text.lower())[:remaining]
        remaining -= len(tokens)
        ngrams.update(zip(*(tokens[i:] for i in range(n)), strict=False))
        if remaining <= 0:
            break
    return len(ngrams) / ngrams.total() if ngrams else 1.0


def _repetition_findings(name: str, texts: list[str], limit: float | None) -> Iterator[Finding]:
    if (value := distinct_n(texts)) < (0.1 if limit is None else limit):
        evidence = f"distinct-2 of the {name} is {value:.2f}: the same words again and again"
        evidence += "" if limit is None else f"; at least {limit:g} is wanted"
        yield Finding.of_dataset("repetition", evidence, hint=limit is None)
