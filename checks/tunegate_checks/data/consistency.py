"""Consistency: one system prompt, one form of reply, one spelling of each label.

What varies without meaning is learnt as if it meant something. OpenAI's fine-tuning guide
("Crafting prompts") asks for the instructions that worked best in every example, the same in use.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from tunegate.checking import check
from tunegate.dataset import Dataset, Example
from tunegate.findings import Finding
from tunegate.identity import together

from .spelling import near_misses, nearest
from .wording import parting, quoted


@check(name="consistency.system_prompt")
def system_prompt(dataset: Dataset) -> Iterator[Finding]:
    """Every row has the same system prompt, character for character (or none has one)."""
    groups = _by_prompt(dataset)
    usual, *others = sorted(groups, key=lambda prompt: -len(groups[prompt])) or [""]
    for prompt in others:
        rows = groups[prompt]
        where = ", ".join(str(e.line) for e in rows[:5]) + (", ..." if len(rows) > 5 else "")
        what = f"{len(rows):,} of {len(dataset):,} rows (line {where})"
        if not prompt:
            kind, evidence = "no system prompt", f"{what} have none; most have {quoted(usual)}"
        else:
            kind, evidence = "system prompt", f"{what} have another: {parting(prompt, usual)}"
        yield Finding(rows[0].row, rows[0].line, kind, evidence, about=together(rows))


@check(name="consistency.inference")
def inference(dataset: Dataset, prompt: str) -> Iterator[Finding]:
    """Every row has `prompt`, what the model is told in use, for its system prompt.

    Character for character: a space or a line break more is another beginning of every answer.
    """
    for found, rows in _by_prompt(dataset).items():
        if found != prompt:
            what = f"{len(rows):,} of {len(dataset):,} rows have another than inference"
            evidence = f"{what}: {parting(found, prompt)}"
            if found == prompt.strip():
                evidence += "; the white space around the latter is all that differs"
            about = f"{together(rows)} {prompt}"
            yield Finding(rows[0].row, rows[0].line, "system prompt", evidence, about=about)


@check(name="consistency.across")
def across(train: Dataset, other: Dataset) -> Iterator[Finding]:
    """The other split has the training set's system prompt, character for character."""
    ours, theirs = (_usual(example.system for example in d) for d in (train, other))
    if not len(train) or not len(other) or ours == theirs:
        return
    name = other.split or "the other split"
    yield Finding(
        None, None, "system prompt", f"{name} has another than train: {parting(theirs, ours)}"
    )


def _by_prompt(dataset: Dataset) -> dict[str, list[Example]]:
    groups: defaultdict[str, list[Example]] = defaultdict(list)
    for example in dataset:
        groups[example.system].append(example)
    return groups


def _usual(values: Iterable[str]) -> str:
    return next(iter(dict(Counter(values).most_common(1))), "")


@check(name="consistency.output_format")
def output_format(dataset: Dataset, *, task: str = "") -> Iterator[Finding]:
    """All replies have one form: JSON with the same keys and types, or labels of one set.

    Where at least half of the replies are JSON objects, all must be, with the keys that most have
    and values of the type that most have (null fits any). For classification each reply is a label:
    spelled like the others of its class, with no space around it and nothing else beside it.
    """
    from .jsonreplies import faults, mostly_json

    if mostly_json(dataset):
        yield from (_at(e, kind, evidence) for e, kind, evidence in faults(dataset))
    elif task == "classification":
        yield from _labels(dataset)


def _labels(dataset: Dataset) -> Iterator[Finding]:
    counts = Counter(example.reply for example in dataset)
    if len(dataset) >= 20 and len(counts) > len(dataset) / 2:
        evidence = (
            f"{len(counts):,} different replies in {len(dataset):,} rows are no set of labels"
        )
        yield Finding(None, None, "labels", evidence)
        return
    misses = near_misses(counts)
    for example in dataset:
        if example.reply in misses:
            meant = misses[example.reply]
            evidence = f"{quoted(example.reply)} for {quoted(meant)} ({counts[meant]:,} rows)"
            yield _at(example, "near miss", f"{evidence}: spell each label one way")


@check(name="consistency.labels")
def labels(train: Dataset, other: Dataset) -> Iterator[Finding]:
    """The other split has no label that is never seen in training. For classification."""
    seen, found = (Counter(e.label for e in d if e.label) for d in (train, other))
    places = {example.label: example for example in reversed(other)}
    for label, count in found.items():
        if label not in seen:
            first = places[label]
            like = nearest(label, seen)
            advice = f"; is it {quoted(like)}?" if like else ""
            evidence = f"{quoted(label)} ({count:,} rows) is never seen in training{advice}"
            about = f"{other.split} {evidence}"  # the same may be missing in two splits
            yield Finding(first.row, first.line, "unseen label", evidence, about=about)
    for label in sorted(seen.keys() - found.keys()):
        evidence = f"no row has {quoted(label)}: nothing will be known about this class"
        yield Finding(None, None, "missing label", evidence, hint=True)


def _at(example: Example, kind: str, evidence: str) -> Finding:
    return Finding(example.row, example.line, kind, evidence)
