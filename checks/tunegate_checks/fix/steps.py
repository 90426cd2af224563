"""The steps of a fix, in their order: each asks a check for faults and repairs what is certain.

`review` comes first, since it knows rows by their content, then `format`, since the others read
messages; `redact` before `duplicates`, since rows that differ in an e-mail address alone are
duplicates after it; `leaks` last. They run until their checks report nothing more.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from tunegate import Dataset, Example, Finding, Limits
from tunegate.data.comparison import label_counts

from ..data import (
    balance,
    consistency,
    diversity,
    duplicates,
    format,
    labels,
    leakage,
    pii,
    preferences,
    secrets,
    size,
    splits,
)
from ..review.sheet import SheetEntry, row_id
from ..text.display import diff, quote_line
from . import repairs
from .changes import STEPS, FileChanges
from .redact import Redactor

# Dropping a row can turn a common label into a rare one, or a shared instruction into words of a
# few rows: one round of the steps is not always enough.
MAX_STEP_ROUNDS = 10
EXAMPLES = 3  # of one fault of the whole file, such as classes that are too small
# The steps of checks that have another name.
STEP_OF = {"pii": "redact", "secrets": "redact", "leakage": "leaks"}
STEP_OF["duplicates.near"] = "duplicates"
# Which of two answers is right, or which prompt is meant, only a person can decide.
HEADINGS = {
    "labels.contradictions": "same question, another answer, at",
    "consistency.system_prompt": "another system prompt, or none, from",
}
FindingsByCheck = dict[str, list[Finding]]


@dataclass(frozen=True)
class FixRules:
    """Which steps run, and the settings of their checks."""

    limits: Limits
    redactor: Redactor
    steps: Collection[str] = STEPS
    task: str = ""  # "": classification where the replies are few and repeated
    prompt: str | None = None  # the system prompt at inference
    # What reviewers corrected, by the ids of the rows.
    corrections: Mapping[str, SheetEntry] = field(default_factory=dict)

    def are_labels(self, dataset: Dataset) -> bool:
        """Whether the replies are the labels of a classification."""
        is_said = self.task in ("classification", "multilabel")
        return is_said or (not self.task and bool(label_counts(dataset)))

    def private_findings(self, dataset: Dataset) -> Iterator[tuple[str, Sequence[Finding]]]:
        """Yield what the checks of personal data and of keys find."""
        ignore, allow, names = self.limits.pii_ignore, self.limits.pii_allow, self.limits.pii_names
        believed = self.limits.surrogates
        yield "pii", pii.find(dataset, ignore=ignore, allow=allow, names=names, surrogates=believed)
        yield "secrets", secrets.find(dataset, allow=allow)


def run_steps(file_changes: FileChanges, rules: FixRules) -> Dataset:
    """Run the steps and then their checks, until these are silent or the steps change nothing.

    Then every other data check looks at the result, which is returned. Records in `file_changes`
    the changes, the number of findings that remain, and what is left for a person. What a step
    would mend that was not asked for is said, and not left for a person.
    """
    due_steps: Collection[str] = rules.steps
    findings: FindingsByCheck = {}
    for _ in range(MAX_STEP_ROUNDS):
        change_count = len(file_changes.changes)
        for step in (s for s in STEPS if s in due_steps):
            STEP_FUNCTIONS[step](file_changes, rules)
        if findings and len(file_changes.changes) == change_count:
            break
        result = file_changes.result()
        findings = findings_of_steps(result, file_changes.against, rules)
        due_steps = {STEP_OF.get(name, name) for name, items in findings.items() if items}
        if not due_steps:
            break
    found = findings_of_others(result, file_changes.against, rules)
    others = {name: [*items] for name, items in found if items}
    for name in [*others]:
        step = STEP_OF.get(name, name)
        if step in STEPS and step not in rules.steps:
            count = len(others.pop(name))
            file_changes.still_found.append(f"{name}: {count:,}; the step `{step}` was left out")
    file_changes.finding_counts = {name: len(items) for name, items in findings.items()}
    unresolved: dict[str, list[Finding]] = {}
    of_whole: dict[str, list[str]] = {}  # no step can add rows, or change how often a label occurs
    named = [(name, f) for by in (findings, others) for name, items in by.items() for f in items]
    for name, finding in named:
        if finding.kind == "meaning":  # of a field, which a person knows
            file_changes.unresolved.append((f"{finding.kind}: {finding.evidence}", ()))
        elif finding.line is None:
            of_whole.setdefault(f"{finding.kind} ({name})", []).append(finding.evidence)
        else:
            heading = HEADINGS.get(name, f"{finding.kind} ({name}), at")
            unresolved.setdefault(heading, []).append(finding)
    for heading, said in of_whole.items():
        more = f"; and {len(said) - EXAMPLES:,} more" if len(said) > EXAMPLES else ""
        file_changes.still_found.append(f"{heading}: {'; '.join(said[:EXAMPLES])}{more}")
    for heading, items in unresolved.items():
        # Where rows were not redacted, the report must not quote them.
        is_quoted = "redact" in rules.steps
        evidence = [(f.line, f"{f.kind}: {f.evidence}" if is_quoted else f.kind) for f in items]
        file_changes.unresolved.append((heading, evidence))
    refusals = [(i, row.refusal) for i, row in enumerate(file_changes.rows, 1) if row.refusal]
    if refusals:
        file_changes.unresolved.append(("not redacted, code would break, at", refusals))
    if not len(result):
        file_changes.unresolved.append(("no row is left", ()))
    return result


def findings_of_steps(
    result: Dataset, against: Sequence[Dataset], rules: FixRules
) -> FindingsByCheck:
    """Return the findings, without hints, of each check that belongs to the chosen steps."""
    similarity, findings = rules.limits.similarity, FindingsByCheck()
    if "format" in rules.steps:
        of_format = format.find(result, fewest=0, largest=inf)
        findings["format"] = [f for f in of_format if f.row is not None]
    if "redact" in rules.steps:
        findings |= {name: [*found] for name, found in rules.private_findings(result)}
    if "labels" in rules.steps and rules.are_labels(result):
        spelled = consistency.output_format(result, task="classification")
        findings["labels"] = [f for f in spelled if f.kind == "near miss"]
    if "duplicates" in rules.steps:
        near = duplicates.near(result, similarity=similarity)
        findings["duplicates"] = [*duplicates.find(result), *near]
    if "leaks" in rules.steps and against:
        leaks = (leakage.find(other, result, similarity=similarity) for other in against)
        findings["leakage"] = [finding for leak_findings in leaks for finding in leak_findings]
    return findings


def findings_of_others(
    result: Dataset, against: Sequence[Dataset], rules: FixRules
) -> Iterator[tuple[str, Sequence[Finding]]]:
    """Yield what every other data check finds; without a task, those that need none.

    Left out are `tokens`, which needs the tokenizer of the model, and `review`, which people do.
    """
    limits, task, skipped = rules.limits, rules.task, rules.steps
    yield "labels.contradictions", labels.contradictions(result)
    yield "consistency.system_prompt", consistency.system_prompt(result)
    yield "preferences", preferences.find(result, similarity=limits.similarity)
    # What is wrong with the file, or with its fields, is no fault of a row that a step could mend.
    is_limited = task and "format" in skipped
    fewest, largest = (limits.fewest_examples, limits.largest_mb) if is_limited else (0, inf)
    of_format = format.find(result, fewest=fewest, largest=largest)
    yield "format", [f for f in of_format if f.row is None or "format" not in skipped]
    if "redact" not in skipped:
        yield from rules.private_findings(result)
    if "duplicates" not in skipped:
        yield "duplicates", duplicates.find(result)
        yield "duplicates.near", duplicates.near(result, similarity=limits.similarity)
    if "leaks" not in skipped and against:
        yield "leakage", leakage.find(against[0], result, similarity=limits.similarity)
    if not task:
        return
    has_classes = task in ("classification", "multilabel")
    train = next((other for other in against if other.split == "train"), None)
    of_replies = consistency.output_format(result, task=task)
    is_left = "labels" not in skipped
    yield "consistency.output_format", [f for f in of_replies if is_left or f.kind != "near miss"]
    if rules.prompt is not None:
        yield "consistency.inference", consistency.inference(result, rules.prompt)
    if has_classes:
        yield "balance", balance.find(result, rarest=limits.rarest_class)
    if result.split == "train":
        yield "size", size.find(result, task=task, per_class=limits.fewest_per_class)
        opening, distinct = limits.opening, limits.distinct
        yield "diversity", diversity.find(result, task=task, distinct=distinct, opening=opening)
    if result.split == "test":
        yield "size.enough_test_rows", size.enough_test_rows(result, smallest=limits.smallest_test)
    if train is None or result.split == "train":
        return
    yield "consistency.across", consistency.across(train, result)
    if has_classes:
        yield "consistency.labels", consistency.labels(train, result)
    psi, auc = limits.psi, limits.drift_auc
    yield "splits.drift", splits.drift(train, result, psi_limit=psi, auc_limit=auc)
    if result.split == "validation":
        low, high = limits.validation_low, limits.validation_high
        yield "splits.share", splits.share(train, result, low=low, high=high)


def correct(file_changes: FileChanges, rules: FixRules) -> None:
    """Give rows the replies that their reviewers wrote."""
    if not rules.corrections:
        return
    for row, example in zip(file_changes.rows, file_changes.dataset(), strict=True):
        said = rules.corrections.get(row_id(example))
        if said and not example.reply:  # the line is of the source: a later step can drop rows
            heading = f"a correction of a reply that is no text, at line {row.line}"
            evidence = [(None, f"line {row.line}: {said.correction}")]
            file_changes.unresolved.append((heading, evidence))
        elif said:
            reply = {**example.messages[-1], "content": said.correction}
            fields = {**row.fields, "messages": [*example.given, reply]}
            change = f"reply: {diff(example.reply, said.correction)}"
            why = f"{said.reviewer} corrected it{': ' if said.note else ''}{said.note}"
            file_changes.change_row(row, fields, "review", (change, why, "corrected"))


def repair(file_changes: FileChanges, rules: FixRules) -> None:
    """Repair messages; set aside rows that stay invalid."""
    for row in file_changes.rows:
        fields, actions = repairs.repair_messages(row.fields)
        if actions:
            changes = [(a, "the chat format asks for it", "reformatted") for a in actions]
            file_changes.change_row(row, fields, "format", *changes)
    rows = file_changes.rows
    faults: dict[int, list[str]] = {}
    for finding in format.find(file_changes.dataset(), fewest=0, largest=inf):
        if finding.row is not None:
            faults.setdefault(finding.row, []).append(finding.evidence)
    for number, evidence in faults.items():
        others_text = f" (and {len(evidence) - 1} more)" if len(evidence) > 1 else ""
        file_changes.reject(rows[number], evidence[0] + others_text)


def redact(file_changes: FileChanges, rules: FixRules) -> None:
    """Replace personal data and keys with placeholders."""
    for row in file_changes.rows:
        fields, redactions, row.refusal = rules.redactor.redact_row(row.fields)
        if redactions:
            row.unredacted = row.unredacted or row.fields
            changes = [(text, f"personal data: {kind}", kind) for kind, text in redactions]
            file_changes.change_row(row, fields, "redact", *changes)


def normalise_labels(file_changes: FileChanges, rules: FixRules) -> None:
    """Give all spellings of a label, where its rule reads it, that of most rows, or of training."""
    dataset = file_changes.dataset()
    if not rules.are_labels(dataset):
        return
    train = file_changes.against[0] if file_changes.against else ()
    known_labels = {label for e in train for label in consistency.spelled_labels(e)}
    corrections = repairs.label_corrections(dataset, known_labels)
    counts = Counter(label for e in dataset for label in consistency.spelled_labels(e))
    for row, example in zip(file_changes.rows, dataset, strict=True):
        for label in (c for c in consistency.spelled_labels(example) if c in corrections):
            new = corrections[label]
            reply = repairs.respelled(example.reply, label, new, example.reading.label)
            if reply is not None and (fields := repairs.with_text(row.fields, -1, reply)):
                n = counts[new]
                reason = f"{n:,} rows spell it so" if n else "training spells it so"
                change = f"{label!r} became {new!r}", reason, "respelled"
                file_changes.change_row(row, fields, "labels", change)
                break  # the next round respells the next label of a set


def deduplicate(file_changes: FileChanges, rules: FixRules) -> None:
    """Drop duplicates and near-duplicates; the check decides which row is kept.

    Rows that contradict each other stay, one of each answer: were one of them dropped as a copy of
    a third row, the wrong answer could be the one that is left, and no check would find it.
    """
    dataset = file_changes.dataset()
    near_findings = duplicates.near(dataset, similarity=rules.limits.similarity)
    contested = _contested_rows(dataset)
    copies = [f for f in (*duplicates.find(dataset), *near_findings) if f.row not in contested]
    _drop_rows(file_changes, rules, "duplicates", copies)


def _contested_rows(dataset: Dataset) -> set[int]:
    """Return the first row of each answer to a context whose answers contradict each other."""
    found = [*labels.contradictions(dataset, similarity=1.0), *preferences.find(dataset)]
    certain = [f for f in found if f.kind == "contradiction" and not f.hint]
    contexts = {dataset[f.row].context for f in certain if f.row is not None}
    first_rows: dict[Hashable, int] = {}
    for example in dataset:
        if example.context in contexts:
            first_rows.setdefault((example.context, example.reply), example.row)
    return {*first_rows.values()}


def remove_leaks(file_changes: FileChanges, rules: FixRules) -> None:
    """Drop rows that stand in an earlier split; redacted ones are compared unredacted too."""
    reading, rows = file_changes.reading, enumerate(file_changes.rows)
    unredacted = [Example(i, r.line, r.unredacted, reading) for i, r in rows if r.unredacted]
    leaks: list[Finding] = []
    for other in file_changes.against:
        name = other.split or other.path.name
        for dataset in (file_changes.dataset(), Dataset(unredacted, reading=reading)):
            found = leakage.find(other, dataset, similarity=rules.limits.similarity)
            leaks += (replace(f, evidence=f.evidence.replace("train", name, 1)) for f in found)
    _drop_rows(file_changes, rules, "leaks", leaks)


def _drop_rows(
    file_changes: FileChanges, rules: FixRules, step: str, findings: Sequence[Finding]
) -> None:
    """Drop the rows of the findings, with evidence that quotes no row as before redaction."""
    rows, dataset = file_changes.rows, file_changes.dataset()
    for finding in findings:
        number = finding.row
        if number is not None and rows[number].is_kept:
            reason = f"{finding.kind}, {finding.evidence.partition(': “')[0].removesuffix(' has')}"
            if "redact" in rules.steps:
                reason += f": {quote_line(dataset[number].text)}"
            file_changes.drop(rows[number], step, reason, finding.kind)


STEP_FUNCTIONS = {"review": correct, "format": repair, "redact": redact, "labels": normalise_labels}
STEP_FUNCTIONS |= {"duplicates": deduplicate, "leaks": remove_leaks}
