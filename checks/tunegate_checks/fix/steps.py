"""The steps, in their order: each asks a check what is wrong, and puts right what is certain.

Form comes first, since the others read messages; redaction before the search for duplicates, since
rows that differed in an e-mail address alone are duplicates after it; leaks last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from tunegate.data.comparison import label_counts
from tunegate.data.dataset import Dataset, Example
from tunegate.results.finding import Finding

from ..data import consistency, duplicates, format, labels, leakage, pii, secrets
from ..text.display import quote_line
from . import normalise_labels as spelling
from . import repair_messages
from .changes import STEPS, FileChanges, Unresolved
from .redact import Redactor


@dataclass(frozen=True)
class FixRules:
    """What the steps go by: the task, the similarity of near-duplicates, what is personal."""

    redactor: Redactor
    steps: Collection[str] = STEPS
    task: str = ""  # "": told from the replies
    prompt: str | None = None  # the system prompt at inference
    similarity: float = 0.85
    ignore: Collection[str] = ()
    allow: Collection[str] = ()

    def are_labels(self, dataset: Dataset) -> bool:
        """Whether the replies are the labels of a classification."""
        return self.task == "classification" or (not self.task and bool(label_counts(dataset)))


def repair(file_changes: FileChanges, rules: FixRules) -> None:
    """Put messages right; set rows aside that are still none a service would take."""
    for row in file_changes.rows:
        fields, actions = repair_messages.repair_messages(row.fields)
        if actions:
            row.set_fields(fields)
            for action in actions:
                file_changes.add_row_change(
                    row, "format", action, "the chat format asks for it", "reformatted"
                )
    _normalise_prompts(file_changes, rules)
    rows = file_changes.rows
    faults: dict[int, list[str]] = {}
    for finding in format.find(file_changes.dataset(), fewest=0, largest=inf):
        faults.setdefault(finding.row or 0, []).append(finding.evidence)
    for number, evidence in faults.items():
        others_text = f" (and {len(evidence) - 1} more)" if len(evidence) > 1 else ""
        file_changes.reject(rows[number], evidence[0] + others_text)


def _normalise_prompts(file_changes: FileChanges, rules: FixRules) -> None:
    dataset = file_changes.dataset()
    train = file_changes.against[0] if file_changes.against else ()
    corrections = spelling.prompt_corrections(dataset, train, rules.prompt)
    for row, example in zip(file_changes.rows, dataset, strict=True):
        new = corrections.get(example.system)
        fields = spelling.with_system(row.fields, new) if new is not None else None
        if fields:
            row.set_fields(fields)
            reason = "white space alone told it from the usual one"
            file_changes.add_row_change(
                row, "format", "system prompt written as usual", reason, "system prompt"
            )


def redact(file_changes: FileChanges, rules: FixRules) -> None:
    """Replace personal data and keys with placeholders."""
    for row in file_changes.rows:
        fields, redactions = rules.redactor.redact_row(row.fields)
        if redactions:
            row.unredacted = row.unredacted or row.fields
            row.set_fields(fields)
            for redaction in redactions:
                file_changes.add_row_change(
                    row,
                    "redact",
                    str(redaction),
                    f"personal data: {redaction.kind}",
                    redaction.kind,
                )


def normalise_labels(file_changes: FileChanges, rules: FixRules) -> None:
    """Spell each label one way."""
    dataset = file_changes.dataset()
    if not rules.are_labels(dataset):
        return
    train_labels = {e.reply for e in file_changes.against[0]} if file_changes.against else set()
    corrections = spelling.label_corrections(dataset, train_labels)
    counts = Counter(e.reply for e in dataset)
    for row, example in zip(file_changes.rows, dataset, strict=True):
        new = corrections.get(example.reply)
        fields = spelling.with_reply(row.fields, new) if new is not None else None
        if new is not None and fields:
            row.set_fields(fields)
            reason = f"{counts[new]:,} rows spell it so" if counts[new] else "training spells it so"
            file_changes.add_row_change(
                row, "labels", f"{example.reply!r} became {new!r}", reason, "respelled"
            )


def deduplicate(file_changes: FileChanges, rules: FixRules) -> None:
    """Drop copies and near copies; which row is kept the check decides."""
    dataset = file_changes.dataset()
    findings = [*duplicates.find(dataset), *duplicates.near(dataset, similarity=rules.similarity)]
    _drop_rows(file_changes, rules, "duplicates", [(f, f.evidence) for f in findings])


def remove_leaks(file_changes: FileChanges, rules: FixRules) -> None:
    """Drop what stands in a split before this one; that split keeps it.

    Rows that were redacted are compared as they were, too: the other file may not be.
    """
    dataset = file_changes.dataset()
    unredacted_rows = [(i, row) for i, row in enumerate(file_changes.rows) if row.unredacted]
    unredacted = Dataset(
        [Example(k, row.line, row.unredacted or {}) for k, (_, row) in enumerate(unredacted_rows)]
    )
    leaks_found: list[tuple[Finding, str]] = []
    for other in file_changes.against:
        name = other.split or other.path.name
        leaks = [*leakage.find(other, dataset, similarity=rules.similarity)]
        for finding in leakage.find(other, unredacted, similarity=rules.similarity):
            leaks.append(replace(finding, row=unredacted_rows[finding.row or 0][0]))
        leaks_found += [(f, f.evidence.replace("train", name, 1)) for f in leaks]
    _drop_rows(file_changes, rules, "leaks", leaks_found)


def _drop_rows(
    file_changes: FileChanges, rules: FixRules, step: str, findings: list[tuple[Finding, str]]
) -> None:
    """Drop the rows of findings; where evidence quotes rows, the row itself is quoted, redacted."""
    rows, dataset = file_changes.rows, file_changes.dataset()
    for finding, evidence in findings:
        number = finding.row or 0
        if rows[number].is_kept:
            location = evidence.partition(": “")[0].removesuffix(" has")
            quoted_row = f": {quote_line(dataset[number].text)}" if "redact" in rules.steps else ""
            file_changes.drop(
                rows[number], step, f"{finding.kind}, {location}{quoted_row}", finding.kind
            )


STEP_FUNCTIONS = {"format": repair, "redact": redact, "labels": normalise_labels}
STEP_FUNCTIONS |= {"duplicates": deduplicate, "leaks": remove_leaks}
# [merged] The checks that fix answers for, run on its result; until they are silent the steps go on.
#
# A row that is dropped can turn a common label into a rare one, or a shared instruction into words
# of a few rows: so one round is not always enough.

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


def run_steps(file_changes: FileChanges, rules: FixRules, path: Path) -> None:
    """Run the steps, then the checks, until these are silent or the steps can do no more."""
    due_steps: Collection[str] = rules.steps
    findings: FindingsByCheck = {}
    for _ in range(MAX_STEP_ROUNDS):
        change_count = len(file_changes.changes)
        for step in (s for s in STEPS if s in due_steps):
            STEP_FUNCTIONS[step](file_changes, rules)
        if findings and len(file_changes.changes) == change_count:
            break
        findings = run_checks(file_changes.result(path), file_changes.against, rules)
        due_steps = {STEP_OF[name] for name, items in findings.items() if items}
        if not due_steps:
            break
    file_changes.finding_counts = {name: len(items) for name, items in findings.items()}
    result, quotes_rows = file_changes.result(path), "redact" in rules.steps
    unsettled = {**_remaining_findings(findings), **_undecided_findings(result, rules)}
    file_changes.unresolved = [
        Unresolved(heading, _line_evidence(items, quotes_rows))
        for heading, items in unsettled.items()
    ]
    if not len(result):
        file_changes.unresolved.append(Unresolved("no row is left"))


def run_checks(result: Dataset, against: Sequence[Dataset], rules: FixRules) -> FindingsByCheck:
    """Return what each check that belongs to the steps finds in a result; hints are none."""
    similarity = rules.similarity
    findings: FindingsByCheck = {}
    if "format" in rules.steps:
        findings["format"] = [*format.find(result, fewest=0, largest=inf)]
    if "redact" in rules.steps:
        findings["pii"] = [*pii.find(result, ignore=rules.ignore, allow=rules.allow)]
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


def _remaining_findings(findings: FindingsByCheck) -> FindingsByCheck:
    """Return what the steps could not put right, by kind."""
    by_kind: FindingsByCheck = {}
    for name, items in findings.items():
        for finding in items:
            by_kind.setdefault(f"{finding.kind} ({name}), at", []).append(finding)
    return by_kind


def _undecided_findings(result: Dataset, rules: FixRules) -> FindingsByCheck:
    """Return what fix sees and does not decide: answers that contradict, other system prompts."""
    findings: FindingsByCheck = {}
    if "duplicates" in rules.steps:
        findings["same question, another answer, at"] = [*labels.contradictions(result)]
    if "format" in rules.steps:
        findings["another system prompt, or none, from"] = [*consistency.system_prompt(result)]
    return {heading: items for heading, items in findings.items() if items}


def _line_evidence(findings: Sequence[Finding], quotes_rows: bool) -> list[tuple[int | None, str]]:
    """Return lines and evidence; where rows were not redacted, evidence must not quote them."""
    return [(f.line, f"{f.kind}: {f.evidence}" if quotes_rows else f.kind) for f in findings]
