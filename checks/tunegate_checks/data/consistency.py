"""Consistency: one system prompt, one format of reply, one spelling of each label.

A model learns accidental differences as if they meant something. OpenAI's fine-tuning guide
("Crafting prompts") asks for the instructions that worked best, in every example and in use.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from statistics import median

from tunegate import Dataset, Example, Finding, check
from tunegate.checking.decorator import rows_fingerprint
from tunegate.data import comparison
from tunegate.data.canonical import part_tools
from tunegate.results.labels import exact
from tunegate.utils.strict_json import parse_json_text
from tunegate.utils.text import count_words

from ..text.display import first_difference, quote_line, quote_repr
from ..text.label_typos import find_typos, nearest_label
from ..text.replies import form_faults, is_mostly_json

FORMS = {
    "tools": "tool calls",
    "extraction": "JSON objects",
    "classification": "a few labels, again and again",
}
# It ends as a sentence does, and holds nothing that programs are made of.
_PROSE = re.compile(
    r"(?s)(?!.*(?:```|~~~|[{}]|;[ \t]*(?:\n|\Z)|\w\(|\w[ \t]*:?=)).*[.!?…。！？][\"'”’)]*\s*\Z"
)


@check(name="consistency.system_prompt")
def system_prompt(dataset: Dataset) -> Iterator[Finding]:
    """Yield each system prompt that differs, in any character, from that of most rows.

    Nothing is found where the system messages are what rows ask about, such as documents.
    """
    if len(dataset) >= comparison.MIN_ROWS and comparison.system_is_asked(dataset):
        return
    groups = comparison.group_indices(dataset, _prompt_reader(dataset))
    usual, *others = sorted(groups, key=lambda prompt: -len(groups[prompt])) or [""]
    for prompt in others:
        rows = [dataset[i] for i in groups[prompt]]
        lines_text = ", ".join(str(e.line) for e in rows[:5]) + (", ..." if len(rows) > 5 else "")
        row_text = f"{len(rows):,} of {len(dataset):,} rows (line {lines_text})"
        kind, difference = "system prompt", f"another: {first_difference(prompt, usual)}"
        if not prompt:
            kind, difference = "no system prompt", f"none; most have {quote_repr(usual)}"
        evidence = f"{row_text} have {difference}"
        yield rows[0].finding(kind, evidence, fingerprint=rows_fingerprint(rows))


def _prompt_reader(dataset: Dataset) -> Callable[[Example], str]:
    """Return what reads a row's system prompt: without its tools if each row lists its own."""
    (_, most), *_ = Counter(e.system for e in dataset).most_common(1) or [("", 0)]
    return (lambda e: e.system) if 2 * most > len(dataset) else lambda e: part_tools(e.system)[0]


@check(name="consistency.inference")
def inference(dataset: Dataset, prompt: str) -> Iterator[Finding]:
    """Yield each system prompt that differs, in any character, from the `prompt` in production.

    A space or a line break more already changes the tokens before every answer.
    """
    for actual, indices in comparison.group_indices(dataset, lambda e: e.system).items():
        if actual != prompt:
            rows = [dataset[i] for i in indices]
            row_text = f"{len(rows):,} of {len(dataset):,} rows have another than inference"
            evidence = f"{row_text}: {first_difference(actual, prompt)}"
            if actual.strip() == prompt.strip():
                which = "latter" if actual == prompt.strip() else "former"
                evidence += f"; the white space around the {which} is all that differs"
            fingerprint = f"{rows_fingerprint(rows)} {prompt}"
            yield rows[0].finding("system prompt", evidence, fingerprint=fingerprint)


@check(name="consistency.across")
def across(train: Dataset, other: Dataset) -> Iterator[Finding]:
    """Yield a finding where the commonest system prompt of a split is not that of training.

    Nothing is found where the system messages are what rows ask about, such as documents.
    """
    fewest = min(len(train), len(other))
    if not fewest or (fewest >= comparison.MIN_ROWS and comparison.system_is_asked(train, other)):
        return
    prompts = (Counter(map(_prompt_reader(train), split)) for split in (train, other))
    train_prompt, other_prompt = (counts.most_common(1)[0][0] for counts in prompts)
    if train_prompt != other_prompt:
        name = other.split or "the other split"
        evidence = f"{name} has another than train: {first_difference(other_prompt, train_prompt)}"
        yield Finding.of_dataset("system prompt", evidence)


@check(name="consistency.output_format")
def output_format(dataset: Dataset, *, task: str = "") -> Iterator[Finding]:
    """Yield each reply whose format is not that of the others.

    Where at least half of the replies are JSON objects, each reply must be one, with the keys that
    nearly all have and values of the type that most have (null fits any type). Keys that some have,
    three or more, are optional, and a hint names them. For classification each reply must be a
    label: spelled like the others of its class, without white space around it. Where the project
    says how a label is read, each reply must have one. For extraction at least half of the replies
    must be JSON objects, for tools one must call a tool. For tasks whose replies are texts, a hint
    says where most are tool calls, JSON objects or a few labels.
    """
    rule, reported = dataset.reading.label, set[int]()
    n, is_json = len(dataset), is_mostly_json(dataset)
    likely = likely_task(dataset, is_json)
    question = f'is the task "{likely}"?' if likely else "is the task another?"
    has_classes = task in ("classification", "multilabel")
    if n and task == "extraction" and not is_json:
        yield Finding.of_dataset("task", f"most replies are no JSON objects; {question}")
    called = (m.get("tool_calls") or m.get("function_call") for e in dataset for m in e.messages)
    if n and task == "tools" and not any(called):
        yield Finding.of_dataset("task", f"no reply calls a tool; {question}")
    prose = sum(bool(_PROSE.match(e.target.text)) for e in dataset) if task == "code" else 0
    if likely == "text" and 2 * prose > n:
        yield Finding.dataset_hint("task", f"most replies are prose; {question}")
    fits = (task, likely) in (("qa", "extraction"), ("code", "extraction"), ("chat", "tools"))
    if likely in FORMS and task in ("qa", "text", "style", "code", "chat") and not fits:
        yield Finding.dataset_hint("task", f"most replies are {FORMS[likely]}; {question}")
    if has_classes and (evidence := lacks_labels(dataset)):
        yield Finding.of_dataset("labels", evidence)
        return
    if is_json:
        for example, kind, evidence in form_faults(dataset):
            if example is None:
                yield Finding.dataset_hint(kind, evidence)
                continue
            reported.add(example.row)
            yield example.finding(kind, evidence)
        if rule == exact:
            if task == "classification" and (evidence := no_classes(dataset)):
                yield Finding.dataset_hint("labels", evidence)
            return
    if rule != exact:
        for example in dataset:
            if example.target and not example.label and example.row not in reported:
                yield example.finding("no label", f"{quote_line(example.reply)} ({rule.name})")
    if not has_classes:
        return
    if evidence := no_classes(dataset):
        yield Finding.of_dataset("labels", evidence)
        return
    spelled = [(e, label) for e in dataset for label in spelled_labels(e)]
    typos = find_typos(counts := Counter(label for _, label in spelled))
    for example, label in spelled:
        if (intended := typos.get(label)) is not None:
            spelling = f"{quote_repr(label)} for {quote_repr(intended)}"
            evidence = f"{spelling} ({counts[intended]:,} rows): spell each label one way"
            yield example.finding("near miss", evidence)


def likely_task(dataset: Dataset, is_json: bool) -> str:
    """Return the task that most replies look like, of 20 or more; "" where none is clear."""
    if len(dataset) < comparison.MIN_ROWS:
        return ""
    if sum(bool(e.target.calls) for e in dataset) * 2 > len(dataset):
        return "tools"
    if is_json:
        return "extraction"
    if comparison.label_counts(dataset):
        return "classification"
    words = median(count_words(e.target.text) for e in dataset)
    return "text" if words > comparison.MAX_LABEL_WORDS else ""


def lacks_labels(dataset: Dataset) -> str:
    """Return that most replies have no label by the project's rule; "" where they have one."""
    lacking = sum(not e.label for e in dataset)
    is_most = lacking * 2 > len(dataset)
    if not is_most or (likely := likely_task(dataset, is_mostly_json(dataset))) not in FORMS:
        return ""
    count = f"{lacking:,} of {len(dataset):,} replies have no label ({dataset.reading.label.name})"
    return f'{count} but are {FORMS[likely]}: is the task "{likely}"?'


def no_classes(dataset: Dataset) -> str:
    """Return why the replies are no labels of classes, and what to write; "" where they may be."""
    if evidence := lacks_labels(dataset):
        return evidence
    labels = [label for example in dataset for label in example.labels]
    if len(labels) < comparison.MIN_ROWS or (different := len({*labels})) <= len(labels) / 2:
        return ""
    fault = f"{different:,} different replies in {len(dataset):,} rows are no set of labels"
    if dataset.reading.label == exact and (field := _label_field(dataset)):
        return f'{fault}: if a field of each holds its label, write label = "json:{field}"'
    if (words := round(median(map(count_words, labels)))) > comparison.MAX_LABEL_WORDS:
        return f'{fault} but texts of about {words:,} words: is the task "text"?'
    return fault


def _label_field(dataset: Dataset) -> str:
    """Return the JSON field with the most values that recur, 3 times on average; "" for none."""
    values: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in dataset:
        reply = parse_json_text(example.target.text)
        for name, value in reply.items() if isinstance(reply, dict) else ():
            if isinstance(value, str | bool | int) and comparison.is_label(str(value)):
                values[name][str(value)] += 1
    usable = [n for n, counts in values.items() if 2 <= len(counts) <= counts.total() / 3]
    return max(usable, key=lambda name: len(values[name]), default="")


def spelled_labels(example: Example) -> list[str]:
    """Return the labels of a row as they are written: of a whole reply with the space around it."""
    return [example.reply] if example.reading.label == exact else example.labels


@check(name="consistency.labels")
def labels(train: Dataset, other: Dataset) -> Iterator[Finding]:
    """Yield each label of a split that training does not have. For classification.

    A label that only training has is a hint. One finding says that training has no labels.
    """
    if evidence := no_classes(train):
        yield Finding.of_dataset("labels", f"training has no classes: {evidence}")
        return
    train_counts = Counter(label for example in train for label in example.labels)
    other_counts = Counter(label for example in other for label in example.labels)
    first_examples = {label: e for e in reversed(other) for label in e.labels}
    for label, count in other_counts.items():
        if label not in train_counts:
            similar_label = nearest_label(label, train_counts)
            advice = f"; is it {quote_repr(similar_label)}?" if similar_label else ""
            evidence = f"{quote_repr(label)} ({count:,} rows) is never seen in training{advice}"
            # Two splits may have the same label and count.
            fingerprint = f"{other.split} {evidence}"
            yield first_examples[label].finding("unseen label", evidence, fingerprint=fingerprint)
    for label in sorted(train_counts.keys() - other_counts.keys()):
        evidence = f"no row has {quote_repr(label)}: nothing will be known about this class"
        yield Finding.dataset_hint("missing label", evidence)
