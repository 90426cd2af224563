"""Consistency: one system prompt, one form of reply, one spelling of each label.

What varies without meaning is learnt as if it meant something. OpenAI's fine-tuning guide
("Crafting prompts") asks for the instructions that worked best in every example, the same in use.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from tunegate.checking.decorator import check
from tunegate.checking.fingerprint import rows_fingerprint
from tunegate.data.dataset import Dataset, Example
from tunegate.results.finding import Finding

from ..text.display import first_difference, quote_repr
from ..text.label_typos import find_typos, nearest_label


@check(name="consistency.system_prompt")
def system_prompt(dataset: Dataset) -> Iterator[Finding]:
    """Every row has the same system prompt, character for character (or none has one)."""
    groups = _group_by_prompt(dataset)
    usual, *others = sorted(groups, key=lambda prompt: -len(groups[prompt])) or [""]
    for prompt in others:
        rows = groups[prompt]
        lines_text = ", ".join(str(e.line) for e in rows[:5]) + (", ..." if len(rows) > 5 else "")
        row_text = f"{len(rows):,} of {len(dataset):,} rows (line {lines_text})"
        if not prompt:
            kind, evidence = (
                "no system prompt",
                f"{row_text} have none; most have {quote_repr(usual)}",
            )
        else:
            kind, evidence = (
                "system prompt",
                f"{row_text} have another: {first_difference(prompt, usual)}",
            )
        yield Finding(rows[0].row, rows[0].line, kind, evidence, about=rows_fingerprint(rows))


@check(name="consistency.inference")
def inference(dataset: Dataset, prompt: str) -> Iterator[Finding]:
    """Every row has `prompt`, what the model is told in use, for its system prompt.

    Character for character: a space or a line break more is another beginning of every answer.
    """
    for actual, rows in _group_by_prompt(dataset).items():
        if actual != prompt:
            row_text = f"{len(rows):,} of {len(dataset):,} rows have another than inference"
            evidence = f"{row_text}: {first_difference(actual, prompt)}"
            if actual == prompt.strip():
                evidence += "; the white space around the latter is all that differs"
            about = f"{rows_fingerprint(rows)} {prompt}"
            yield Finding(rows[0].row, rows[0].line, "system prompt", evidence, about=about)


@check(name="consistency.across")
def across(train: Dataset, other: Dataset) -> Iterator[Finding]:
    """The other split has the training set's system prompt, character for character."""
    train_prompt, other_prompt = (
        _most_common(example.system for example in d) for d in (train, other)
    )
    if not len(train) or not len(other) or train_prompt == other_prompt:
        return
    name = other.split or "the other split"
    yield Finding(
        None,
        None,
        "system prompt",
        f"{name} has another than train: {first_difference(other_prompt, train_prompt)}",
    )


def _group_by_prompt(dataset: Dataset) -> dict[str, list[Example]]:
    groups: defaultdict[str, list[Example]] = defaultdict(list)
    for example in dataset:
        groups[example.system].append(example)
    return groups


def _most_common(values: Iterable[str]) -> str:
    return next(iter(dict(Counter(values).most_common(1))), "")


@check(name="consistency.output_format")
def output_format(dataset: Dataset, *, task: str = "") -> Iterator[Finding]:
    """All replies have one form: JSON with the same keys and types, or labels of one set.

    Where at least half of the replies are JSON objects, all must be, with the keys that most have
    and values of the type that most have (null fits any). For classification each reply is a label:
    spelled like the others of its class, with no space around it and nothing else beside it.
    """
    from ..text.json_replies import form_faults, is_mostly_json

    if is_mostly_json(dataset):
        yield from (_finding_at(e, kind, evidence) for e, kind, evidence in form_faults(dataset))
    elif task == "classification":
        yield from _label_findings(dataset)


def _label_findings(dataset: Dataset) -> Iterator[Finding]:
    counts = Counter(example.reply for example in dataset)
    if len(dataset) >= 20 and len(counts) > len(dataset) / 2:
        evidence = (
            f"{len(counts):,} different replies in {len(dataset):,} rows are no set of labels"
        )
        yield Finding(None, None, "labels", evidence)
        return
    typos = find_typos(counts)
    for example in dataset:
        if example.reply in typos:
            intended = typos[example.reply]
            evidence = f"{quote_repr(example.reply)} for {quote_repr(intended)} ({counts[intended]:,} rows)"
            yield _finding_at(example, "near miss", f"{evidence}: spell each label one way")


@check(name="consistency.labels")
def labels(train: Dataset, other: Dataset) -> Iterator[Finding]:
    """The other split has no label that is never seen in training. For classification."""
    train_counts, other_counts = (Counter(e.label for e in d if e.label) for d in (train, other))
    first_examples = {example.label: example for example in reversed(other)}
    for label, count in other_counts.items():
        if label not in train_counts:
            first = first_examples[label]
            similar_label = nearest_label(label, train_counts)
            advice = f"; is it {quote_repr(similar_label)}?" if similar_label else ""
            evidence = f"{quote_repr(label)} ({count:,} rows) is never seen in training{advice}"
            about = f"{other.split} {evidence}"  # the same may be missing in two splits
            yield Finding(first.row, first.line, "unseen label", evidence, about=about)
    for label in sorted(train_counts.keys() - other_counts.keys()):
        evidence = f"no row has {quote_repr(label)}: nothing will be known about this class"
        yield Finding(None, None, "missing label", evidence, hint=True)


def _finding_at(example: Example, kind: str, evidence: str) -> Finding:
    return Finding(example.row, example.line, kind, evidence)
