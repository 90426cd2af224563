"""The steps of a fix, in their order: each asks a check for faults and repairs what is certain.

`format` comes first, since the others read messages; `redact` before `duplicates`, since rows that
differ in an e-mail address alone are duplicates after it; `leaks` last. The steps run until the
checks that belong to them report nothing more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import inf

from tunegate.config.schema import Limits
from tunegate.data.comparison import label_counts
from tunegate.data.dataset import Dataset, Example
from tunegate.results.finding import Finding

from ..data import consistency, duplicates, format, labels, leakage, pii, secrets
from ..text.display import quote_line
from .changes import STEPS, FileChanges, Unresolved
from .normalise_labels import label_corrections, prompt_corrections, with_reply, with_system
from .redact import Redactor
from .repair_messages import repair_messages

# Dropping a row can turn a common label into a rare one, or a shared instruction into words of a
# few rows: one round of the steps is not always enough.
MAX_STEP_ROUNDS = 10
STEP_OF = {
    "format": "format",
    "pii": "redact",
    "secrets": "redact",
    "labels": "labels",
    "duplicates": "duplicates",
    "leakage": "leaks",
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

    def are_labels(self, dataset: Dataset) -> bool:
        """Whether the replies are the labels of a classification."""
        return self.task == "classification" or (not self.task and bool(label_counts(dataset)))


def run_steps(file_changes: FileChanges, rules: FixRules) -> None:
    """Run the steps and then their checks, until these are silent or the steps change nothing.

    Records in `file_changes` the changes, the number of findings that remain, and what is left for
    a person.
    """
    due_steps: Collection[str] = rules.steps
    findings: FindingsByCheck = {}
    for _ in range(MAX_STEP_ROUNDS):
        change_count = len(file_changes.changes)
        for step in (s for s in STEPS if s in due_steps):
            STEP_FUNCTIONS[step](file_changes, rules)
        if findings and len(file_changes.changes) == change_count:
            break
        findings = run_checks(file_changes.result(), file_changes.against, rules)
        due_steps = {STEP_OF[name] for name, items in findings.items() if items}
        if not due_steps:
            break
    file_changes.finding_counts = {name: len(items) for name, items in findings.items()}
    result = file_changes.result()
    unresolved: dict[str, list[Finding]] = {}
    for name, items in findings.items():
        for finding in items:
            unresolved.setdefault(f"{finding.kind} ({name}), at", []).append(finding)
    # Which of two answers is right, or which prompt is meant, only a person can decide.
    if "duplicates" in rules.steps:
        unresolved["same question, another answer, at"] = [*labels.contradictions(result)]
    if "format" in rules.steps:
        unresolved["another system prompt, or none, from"] = [*consistency.system_prompt(result)]
    for heading, items in unresolved.items():
        # Where rows were not redacted, the report must not quote them.
        evidence = [
            (f.line, f"{f.kind}: {f.evidence}" if "redact" in rules.steps else f.kind)
            for f in items
        ]
        if evidence:
            file_changes.unresolved.append(Unresolved(heading, evidence))
    if not len(result):
        file_changes.unresolved.append(Unresolved("no row is left"))


def repair(file_changes: FileChanges, rules: FixRules) -> None:
    """Repair messages and the writing of system prompts; set aside rows that stay invalid."""
    for row in file_changes.rows:
        fields, actions = repair_messages(row.fields)
        if actions:
            reason = "the chat format asks for it"
            changes = [(action, reason, "reformatted") for action in actions]
            file_changes.change_row(row, fields, "format", *changes)
    dataset = file_changes.dataset()
    train = file_changes.against[0] if file_changes.against else ()
    corrections = prompt_corrections(dataset, train, rules.prompt)
    for row, example in zip(file_changes.rows, dataset, strict=True):
        new = corrections.get(example.system)
        changed = with_system(row.fields, new) if new is not None else None
        if changed:
            reason = "white space alone told it from the usual one"
            change = "system prompt written as usual", reason, "system prompt"
            file_changes.change_row(row, changed, "format", change)
    rows = file_changes.rows
    faults: dict[int, list[str]] = {}
    for finding in format.find(file_changes.dataset(), fewest=0, largest=inf):
        faults.setdefault(finding.row or 0, []).append(finding.evidence)
    for number, evidence in faults.items():
        others_text = f" (and {len(evidence) - 1} more)" if len(evidence) > 1 else ""
        file_changes.reject(rows[number], evidence[0] + others_text)


def redact(file_changes: FileChanges, rules: FixRules) -> None:
    """Replace personal data and keys with placeholders."""
    for row in file_changes.rows:
        fields, redactions = rules.redactor.redact_row(row.fields)
        if redactions:
            row.unredacted = row.unredacted or row.fields
            changes = [(text, f"personal data: {kind}", kind) for kind, text in redactions]
            file_changes.change_row(row, fields, "redact", *changes)


def normalise_labels(file_changes: FileChanges, rules: FixRules) -> None:
    """Give all spellings of a label the most frequent one, or that of training."""
    dataset = file_changes.dataset()
    if not rules.are_labels(dataset):
        return
    train_labels = {e.reply for e in file_changes.against[0]} if file_changes.against else set()
    corrections = label_corrections(dataset, train_labels)
    counts = Counter(e.reply for e in dataset)
    for row, example in zip(file_changes.rows, dataset, strict=True):
        new = corrections.get(example.reply)
        fields = with_reply(row.fields, new) if new is not None else None
        if new is not None and fields:
            reason = f"{counts[new]:,} rows spell it so" if counts[new] else "training spells it so"
            change = f"{example.reply!r} became {new!r}", reason, "respelled"
            file_changes.change_row(row, fields, "labels", change)


def deduplicate(file_changes: FileChanges, rules: FixRules) -> None:
    """Drop duplicates and near-duplicates; the check decides which row is kept."""
    dataset = file_changes.dataset()
    near_findings = duplicates.near(dataset, similarity=rules.limits.similarity)
    _drop_rows(file_changes, rules, "duplicates", [*duplicates.find(dataset), *near_findings])


def remove_leaks(file_changes: FileChanges, rules: FixRules) -> None:
    """Drop rows that also stand in a split before this one; that split keeps them.

    Redacted rows are compared as they were before, too, since the other file may not be redacted.
    """
    unredacted = Dataset(
        [
            Example(i, row.line, row.unredacted)
            for i, row in enumerate(file_changes.rows)
            if row.unredacted
        ]
    )
    leaks: list[Finding] = []
    for other in file_changes.against:
        name = other.split or other.path.name
        for rows in (file_changes.dataset(), unredacted):
            found = leakage.find(other, rows, similarity=rules.limits.similarity)
            leaks += (replace(f, evidence=f.evidence.replace("train", name, 1)) for f in found)
    _drop_rows(file_changes, rules, "leaks", leaks)


def _drop_rows(
    file_changes: FileChanges, rules: FixRules, step: str, findings: Sequence[Finding]
) -> None:
    """Drop the rows of the findings, each with its evidence.

    The evidence can quote the row as it was before redaction: the quotation is replaced by one of
    the redacted row, or left out where nothing is redacted.
    """
    rows, dataset = file_changes.rows, file_changes.dataset()
    for finding in findings:
        number = finding.row or 0
        if rows[number].is_kept:
            reason = f"{finding.kind}, {finding.evidence.partition(': “')[0].removesuffix(' has')}"
            if "redact" in rules.steps:
                reason += f": {quote_line(dataset[number].text)}"
            file_changes.drop(rows[number], step, reason, finding.kind)


STEP_FUNCTIONS = {"format": repair, "redact": redact, "labels": normalise_labels}
STEP_FUNCTIONS |= {"duplicates": deduplicate, "leaks": remove_leaks}


def run_checks(result: Dataset, against: Sequence[Dataset], rules: FixRules) -> FindingsByCheck:
    """Return the findings, without hints, of each check that belongs to the chosen steps."""
    limits, similarity = rules.limits, rules.limits.similarity
    findings: FindingsByCheck = {}
    if "format" in rules.steps:
        findings["format"] = [*format.find(result, fewest=0, largest=inf)]
    if "redact" in rules.steps:
        findings["pii"] = [*pii.find(result, ignore=limits.pii_ignore, allow=limits.pii_allow)]
        findings["secrets"] = [*secrets.find(result)]
    if "labels" in rules.steps and rules.are_labels(result):
        spelled = consistency.output_format(result, task="classification")
        findings["labels"] = [f for f in spelled if f.kind == "near miss"]
    if "duplicates" in rules.steps:
        near_findings = duplicates.near(result, similarity=similarity)
        findings["duplicates"] = [*duplicates.find(result), *near_findings]
    if "leaks" in rules.steps and against:
        leaks = (leakage.find(other, result, similarity=similarity) for other in against)
        findings["leakage"] = [finding for leak_findings in leaks for finding in leak_findings]
    return findings
