"""Balance of classes: a rare one is hardly learnt, and the accuracy over all does not show it."""

import math
from collections import Counter
from collections.abc import Iterator
from statistics import median, quantiles

from tunegate import Dataset, Finding, check

from ..text.display import quote_repr
from ..text.label_typos import class_names
from ..text.replies import REFUSAL_START
from .consistency import no_classes


@check(name="balance")
def find(dataset: Dataset, *, rarest: float = 0.1) -> Iterator[Finding]:
    """Yield each class that has less than `rarest` times an even share of the examples.

    Of 6 classes an even share is 16.7 %: with 0.1 a class below 1.67 % is a finding. The default
    is a rule of thumb: set it to the share of the rarest class in your real traffic. A dataset
    with only one class is a finding too, and so are replies that are no labels of classes.
    """
    if evidence := no_classes(dataset):
        yield Finding.of_dataset("labels", evidence)
        return
    counts = Counter(label for example in dataset for label in example.labels)
    n = sum(bool(example.label) for example in dataset)
    if len(counts) == 1:
        only = next(iter(counts))
        evidence = f"all {n:,} examples are of class {quote_repr(only)}; at least two are needed"
        yield Finding.of_dataset("one class", evidence)
    first_examples = {label: e for e in reversed(dataset) for label in e.labels}
    names = class_names(counts)
    for label, count in counts.most_common()[::-1]:
        if count < (needed_count := math.ceil(rarest / len(counts) * counts.total() - 1e-9)):
            share = f"{count:,} of {n:,} examples, {100 * count / n:.2g} %"
            evidence = f"{names[label]}: {share}; at least {needed_count:,} wanted"
            fingerprint = f"{dataset.split} {evidence}"  # two splits may have the same counts
            yield first_examples[label].finding("rare class", evidence, fingerprint=fingerprint)


@check(name="balance.makeup")
def makeup(dataset: Dataset, *, least: float = 0.1) -> Iterator[Finding]:
    """Yield hints on languages, reply lengths and refusals; none closes a gate.

    The language of a row is its field `language`. A language is named if less than `least` of
    the rows have it.
    """
    counts = Counter(str(e.fields["language"]) for e in dataset if e.fields.get("language"))
    n = counts.total()
    for language, count in counts.most_common()[::-1] if len(counts) > 1 else ():
        if count < least * n:
            share = f"{count:,} of {n:,} examples, {100 * count / n:.2g} %"
            evidence = f"{quote_repr(language)}: {share}; it will be learnt least"
            yield Finding.dataset_hint("language", evidence)
    if len(lengths := [len(example.reply) for example in dataset]) >= 20:
        middle, high = median(lengths), quantiles(lengths, n=20)[-1]
        if high > 5 * max(middle, 20):
            half = f"half have at most {middle:,.0f} characters, but 5 % more than {high:,.0f}"
            evidence = f"{half} (the longest {max(lengths):,}): they weigh most in the loss"
            yield Finding.dataset_hint("reply length", evidence)
    if refused := sum(bool(REFUSAL_START.match(example.target.text)) for example in dataset):
        share = f"{refused:,} of {len(dataset):,} replies, {100 * refused / len(dataset):.2g} %"
        evidence = f"{share}, refuse or apologise: is that how often the model should?"
        yield Finding.dataset_hint("refusals", evidence)
