"""Diversity: do the examples differ enough to learn from, and is what is to be learnt learnable?

All hints, unless a limit is given: how much repetition is too much depends on the task.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from tunegate.checking.decorator import check
from tunegate.data.dataset import Dataset, Example
from tunegate.results.finding import Finding

from ..text.refusals import REFUSAL_START

MAX_WORDS = 20_000  # distinct-n falls as a text grows: always look at the same length
OTHER_LABEL = re.compile(
    r"\W*(other|others|none|unknown|unclear|misc\w*|outros?|outras?|nenhum\w*)\b", re.I
)
FACT_PATTERN = re.compile(r"\d[\d.,/:-]*\d|\d|(?<=[a-zà-ÿ,;] )[A-ZÀ-Þ][a-zà-ÿ]{2,}")


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
    yield from _repetition_findings("prompts", prompts, distinct)
    if task != "classification":
        yield from _repetition_findings("replies", [example.reply for example in dataset], distinct)
    yield from _opening_findings(prompts, opening)
    yield from _refusal_hints(dataset, task)
    if task == "qa":
        yield from _fact_hints(dataset)


def distinct_n(texts: Iterable[str], n: int = 2) -> float:
    """Return the share of n-grams that are different, over the first 20,000 words; 1 of none."""
    ngrams: Counter[tuple[str, ...]] = Counter()
    remaining = MAX_WORDS
    for text in texts:
        tokens = re.findall(r"\w+", text.lower())[:remaining]
        remaining -= len(tokens)
        ngrams.update(zip(*(tokens[i:] for i in range(n)), strict=False))
        if remaining <= 0:
            break
    return len(ngrams) / ngrams.total() if ngrams else 1.0


def _repetition_findings(name: str, texts: list[str], limit: float | None) -> Iterator[Finding]:
    value = distinct_n(texts)
    if value < (0.1 if limit is None else limit):
        evidence = f"distinct-2 of the {name} is {value:.2f}: the same words again and again"
        limit_text = "" if limit is None else f"; at least {limit:g} is wanted"
        yield _dataset_finding("repetition", evidence + limit_text, hint=limit is None)


def _opening_findings(prompts: list[str], limit: float | None) -> Iterator[Finding]:
    starts = (re.findall(r"\w+", prompt.lower()[:200])[:4] for prompt in prompts)
    openings = Counter(" ".join(tokens) for tokens in starts if len(tokens) == 4)
    for tokens, count in openings.most_common(3):
        part = count / len(prompts)
        if count > 5 and part > (0.1 if limit is None else limit):
            evidence = (
                f"{count:,} of {len(prompts):,} prompts ({100 * part:.0f} %) begin {tokens!r}"
            )
            yield _dataset_finding(
                "opening", f"{evidence}: vary them, or move it to the system prompt", limit is None
            )


def _refusal_hints(dataset: Dataset, task: str) -> Iterator[Finding]:
    """A model that has seen no way out takes none: it answers everything, with confidence."""
    labels = Counter(example.label for example in dataset)
    if task == "classification" and labels and not any(map(OTHER_LABEL.match, labels)):
        evidence = (
            "no class for what fits none of them (such as `other`): each input gets one of these"
        )
        yield _dataset_finding("no way out", evidence)
    if task == "qa" and len(dataset) and not any(REFUSAL_START.match(e.reply) for e in dataset):
        evidence = "no reply says that it does not know: the model will answer what it cannot"
        yield _dataset_finding("no way out", evidence)


def _fact_hints(dataset: Dataset) -> Iterator[Finding]:
    factual = [example for example in dataset if _states_new_facts(example)]
    if len(dataset) >= 20 and len(factual) > 0.3 * len(dataset):
        share = f"{len(factual):,} of {len(dataset):,} replies state numbers or names that"
        evidence = f"{share} their prompts do not hold: for facts, retrieval serves better"
        yield _dataset_finding("facts", evidence)


def _states_new_facts(example: Example) -> bool:
    prompt_text = f"{example.system} {example.prompt}".lower()
    return any(fact.lower() not in prompt_text for fact in FACT_PATTERN.findall(example.reply))


def _dataset_finding(kind: str, evidence: str, hint: bool = True) -> Finding:
    return Finding(None, None, kind, evidence, hint=hint)
