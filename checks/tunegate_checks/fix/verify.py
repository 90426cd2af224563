"""The checks that fix answers for, run on its result; until they are silent the steps go on.

A row that is dropped can turn a common label into a rare one, or a shared instruction into words
of a few rows: so one round is not always enough.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf
from pathlib import Path

from tunegate.dataset import Dataset
from tunegate.findings import Finding

from ..data import consistency, duplicates, format, labels, leakage, pii, secrets
from .steps import STEP_FUNCTIONS, FixRules
from .work import STEPS, FileChanges, Unresolved

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
