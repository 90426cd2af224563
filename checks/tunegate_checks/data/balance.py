"""Balance: does every class have its share of the examples? For classification.

A class that is hardly there is hardly learnt, and the accuracy over all classes hides it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from statistics import median, quantiles

from tunegate.checking.decorator import check
from tunegate.data.dataset import Dataset
from tunegate.results.finding import Finding

from ..text.display import quote_repr
from ..text.label_typos import typo_notes
from ..text.refusals import REFUSAL_START


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
        evidence = f"all {n:,} examples are of class {quote_repr(only)}; at least two are needed"
        yield Finding(None, None, "one class", evidence)
    first_examples = {example.label: example for example in reversed(dataset)}
    label_notes = typo_notes(counts)
    for label, count in counts.most_common()[::-1]:
        needed_count = math.ceil(rarest / len(counts) * n - 1e-9)
        if count < needed_count:
            first = first_examples[label]
            evidence = (
                f"class {quote_repr(label)}{label_notes[label]}: {count:,} of {n:,} examples, "
                f"{100 * count / n:.2g} %; at least {needed_count:,} wanted"
            )
            about = f"{dataset.split} {evidence}"  # the same counts may stand in two splits
            yield Finding(first.row, first.line, "rare class", evidence, about=about)


@check(name="balance.makeup")
def makeup(dataset: Dataset, *, least: float = 0.1) -> Iterator[Finding]:
    """Hints on what else the examples are made of: languages, reply lengths, refusals.

    A language is named when it has less than `least` of the rows (they say their own language, in
    a field `language`); a class, when its languages are far from those of all rows.
    """
    yield from _language_hints(dataset, least)
    yield from _length_hints(dataset)
    refused = sum(bool(REFUSAL_START.match(example.reply)) for example in dataset)
    if refused:
        share = f"{refused:,} of {len(dataset):,} replies, {100 * refused / len(dataset):.2g} %"
        yield _hint(
            "refusals", f"{share}, refuse or apologise: is that how often the model should?"
        )


def _language_hints(dataset: Dataset, min_share: float) -> Iterator[Finding]:
    language_labels = [
        (str(e.fields["language"]), e.label) for e in dataset if e.fields.get("language")
    ]
    counts = Counter(language for language, _ in language_labels)
    for language, count in counts.most_common()[::-1]:
        if len(counts) > 1 and count < min_share * len(language_labels):
            share = f"{count:,} of {len(language_labels):,} examples, {100 * count / len(language_labels):.2g} %"
            yield _hint("language", f"{quote_repr(language)}: {share}; it will be learnt least")
    labels = Counter(label for _, label in language_labels)
    pairs = Counter(language_labels)
    if len(labels) > len(language_labels) / 10:
        return  # hardly two replies are alike: these are no classes
    for (language, label), count in sorted(pairs.items()):
        share_in_label, share_overall = (
            count / labels[label],
            counts[language] / len(language_labels),
        )
        if (
            share_in_label > min(share_overall + 0.3, 0.999)
            and labels[label] >= 10
            and len(counts) > 1
        ):
            evidence = f"{100 * share_in_label:.0f} % of class {quote_repr(label)} is {quote_repr(language)}"
            rest = f"of all examples it is {100 * share_overall:.0f} %: the language gives the class away"
            yield _hint("language", f"{evidence}; {rest}")


def _length_hints(dataset: Dataset) -> Iterator[Finding]:
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
