"""Balance: does every class have its share of the examples? For classification.

A class that is hardly there is hardly learnt, and the accuracy over all classes hides it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from statistics import median, quantiles

from tunegate.checking import check
from tunegate.dataset import Dataset
from tunegate.findings import Finding

from .spelling import meanings
from .wording import quoted

# Ways to refuse, at the start of a reply; English and Portuguese.
REFUSAL = re.compile(
    r"^\W*(?:(?:i'?m|i am|we are|we're)\s+(?:very\s+|really\s+)?(?:sorry|afraid|unable)"
    r"|i\s+(?:can'?t|cannot|won'?t|do\s*n[o']t\s+(?:know|have))|sorry\b|unfortunately,?\s+i"
    r"|as an? (?:ai|language model)"
    r"|(?:sinto muito|lamento|desculpe|infelizmente|perdão)\b"
    r"|(?:eu\s+)?não\s+(?:posso|consigo|sei|tenho\s+(?:como|informaç))"
    r"|como (?:um |uma )?(?:ia|modelo de linguagem|inteligência artificial)\b)",
    re.IGNORECASE,
)


@check(name="balance")
def find(dataset: Dataset, *, rarest: float = 0.1) -> Iterator[Finding]:
    """No class is rarer than `rarest` of an even share: by default 0.1 / K, of K classes.

    With 6 classes an even share is 16.7 %, and a class below 1.67 % is a finding. Every class with
    its count stands in the evidence. The threshold is a rule of thumb, not a law: set it to
    what the rarest class of your real traffic looks like.
    """
    counts = Counter(example.label for example in dataset if example.label)
    n = counts.total()
    if len(counts) == 1:
        only = next(iter(counts))
        evidence = f"all {n:,} examples are of class {quoted(only)}; at least two are needed"
        yield Finding(None, None, "one class", evidence)
    places = {example.label: example for example in reversed(dataset)}
    meant = meanings(counts)
    for label, count in counts.most_common()[::-1]:
        wanted = math.ceil(rarest / len(counts) * n - 1e-9)
        if count < wanted:
            where = places[label]
            evidence = (
                f"class {quoted(label)}{meant[label]}: {count:,} of {n:,} examples, "
                f"{100 * count / n:.2g} %; at least {wanted:,} wanted"
            )
            about = f"{dataset.split} {evidence}"  # the same counts may stand in two splits
            yield Finding(where.row, where.line, "rare class", evidence, about=about)


@check(name="balance.makeup")
def makeup(dataset: Dataset, *, least: float = 0.1) -> Iterator[Finding]:
    """Hints on what else the examples are made of: languages, reply lengths, refusals.

    A language is named when it has less than `least` of the rows (they say their own language, in
    a field `language`); a class, when its languages are far from those of all rows.
    """
    yield from _languages(dataset, least)
    yield from _lengths(dataset)
    refused = sum(bool(REFUSAL.match(example.reply)) for example in dataset)
    if refused:
        share = f"{refused:,} of {len(dataset):,} replies, {100 * refused / len(dataset):.2g} %"
        yield _hint(
            "refusals", f"{share}, refuse or apologise: is that how often the model should?"
        )


def _languages(dataset: Dataset, least: float) -> Iterator[Finding]:
    said = [(str(e.fields["language"]), e.label) for e in dataset if e.fields.get("language")]
    counts = Counter(language for language, _ in said)
    for language, count in counts.most_common()[::-1]:
        if len(counts) > 1 and count < least * len(said):
            share = f"{count:,} of {len(said):,} examples, {100 * count / len(said):.2g} %"
            yield _hint("language", f"{quoted(language)}: {share}; it will be learnt least")
    labels = Counter(label for _, label in said)
    pairs = Counter(said)
    if len(labels) > len(said) / 10:
        return  # hardly two replies are alike: these are no classes
    for (language, label), count in sorted(pairs.items()):
        within, overall = count / labels[label], counts[language] / len(said)
        if within > min(overall + 0.3, 0.999) and labels[label] >= 10 and len(counts) > 1:
            evidence = f"{100 * within:.0f} % of class {quoted(label)} is {quoted(language)}"
            rest = f"of all examples it is {100 * overall:.0f} %: the language gives the class away"
            yield _hint("language", f"{evidence}; {rest}")


def _lengths(dataset: Dataset) -> Iterator[Finding]:
    lengths = [len(example.reply) for example in dataset]
    if len(lengths) < 20:
        return
    middle, longest = median(lengths), max(lengths)
    high = quantiles(lengths, n=20)[-1]
    if high > 5 * max(middle, 20):
        evidence = f"half have at most {middle:,.0f} characters, but 5 % more than {high:,.0f}"
        yield _hint(
            "reply length", f"{evidence} (the longest {longest:,}): they weigh most in the loss"
        )


def _hint(kind: str, evidence: str) -> Finding:
    return Finding(None, None, kind, evidence, hint=True)
