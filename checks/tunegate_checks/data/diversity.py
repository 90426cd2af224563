"""Diversity: do the examples differ enough to learn from, and is what is to be learnt learnable?

All hints, unless a limit is given: how much repetition is too much depends on the task.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from tunegate.checking import check
from tunegate.dataset import Dataset, Example
from tunegate.findings import Finding

from .balance import REFUSAL

WORDS = 20_000  # distinct-n falls as a text grows: always look at the same length
OTHER = re.compile(
    r"\W*(other|others|none|unknown|unclear|misc\w*|outros?|outras?|nenhum\w*)\b", re.I
)
FACT = re.compile(r"\d[\d.,/:-]*\d|\d|(?<=[a-zà-ÿ,;] )[A-ZÀ-Þ][a-zà-ÿ]{2,}")


@check(name="diversity")
def find(
    dataset: Dataset, *, task: str, distinct: float | None = None, opening: float | None = None
) -> Iterator[Finding]:
    """Prompts repeat neither themselves (`distinct`) nor each other's openings (`opening`).

    Distinct-2 is the share of pairs of words that are different pairs, over the first 20,000 words
    (Li et al. 2016, arXiv:1510.03055); 0.1 or less brings a hint. `opening` is the share of prompts
    that begin with the same four words; 0.1 or more brings a hint. Further hints: no example of
    "none of these", or of "I do not know"; replies full of facts that their prompts do not hold.
    """
    prompts = [example.prompt for example in dataset]
    yield from _distinct("prompts", prompts, distinct)
    if task != "classification":
        yield from _distinct("replies", [example.reply for example in dataset], distinct)
    yield from _openings(prompts, opening)
    yield from _way_out(dataset, task)
    if task == "qa":
        yield from _facts(dataset)


def distinct_n(texts: Iterable[str], n: int = 2) -> float:
    """Return the share of n-grams that are different, over the first 20,000 words; 1 of none."""
    grams: Counter[tuple[str, ...]] = Counter()
    left = WORDS
    for text in texts:
        words = re.findall(r"\w+", text.lower())[:left]
        left -= len(words)
        grams.update(zip(*(words[i:] for i in range(n)), strict=False))
        if left <= 0:
            break
    return len(grams) / grams.total() if grams else 1.0


def _distinct(what: str, texts: list[str], limit: float | None) -> Iterator[Finding]:
    value = distinct_n(texts)
    if value < (0.1 if limit is None else limit):
        evidence = f"distinct-2 of the {what} is {value:.2f}: the same words again and again"
        asked = "" if limit is None else f"; at least {limit:g} is wanted"
        yield _about("repetition", evidence + asked, hint=limit is None)


def _openings(prompts: list[str], limit: float | None) -> Iterator[Finding]:
    starts = (re.findall(r"\w+", prompt.lower()[:200])[:4] for prompt in prompts)
    openings = Counter(" ".join(words) for words in starts if len(words) == 4)
    for words, count in openings.most_common(3):
        part = count / len(prompts)
        if count > 5 and part > (0.1 if limit is None else limit):
            evidence = f"{count:,} of {len(prompts):,} prompts ({100 * part:.0f} %) begin {words!r}"
            yield _about(
                "opening", f"{evidence}: vary them, or move it to the system prompt", limit is None
            )


def _way_out(dataset: Dataset, task: str) -> Iterator[Finding]:
    """A model that has seen no way out takes none: it answers everything, with confidence."""
    labels = Counter(example.label for example in dataset)
    if task == "classification" and labels and not any(map(OTHER.match, labels)):
        evidence = (
            "no class for what fits none of them (such as `other`): each input gets one of these"
        )
        yield _about("no way out", evidence)
    if task == "qa" and len(dataset) and not any(REFUSAL.match(e.reply) for e in dataset):
        evidence = "no reply says that it does not know: the model will answer what it cannot"
        yield _about("no way out", evidence)


def _facts(dataset: Dataset) -> Iterator[Finding]:
    told = [example for example in dataset if _to_memorise(example)]
    if len(dataset) >= 20 and len(told) > 0.3 * len(dataset):
        share = f"{len(told):,} of {len(dataset):,} replies state numbers or names that"
        evidence = f"{share} their prompts do not hold: for facts, retrieval serves better"
        yield _about("facts", evidence)


def _to_memorise(example: Example) -> bool:
    given = f"{example.system} {example.prompt}".lower()
    return any(fact.lower() not in given for fact in FACT.findall(example.reply))


def _about(kind: str, evidence: str, hint: bool = True) -> Finding:
    return Finding(None, None, kind, evidence, hint=hint)
