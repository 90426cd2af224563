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
from .steps import ACTS, Rules
from .work import STEPS, Left, Work

ROUNDS = 10
STEP_OF = {
    "format": "format",
    "pii": "redact",
    "secrets": "redact",
    "labels": "labels",
    "duplicates": "duplicates",
    "leakage": "leaks",
}
Found = dict[str, list[Finding]]


def put_right(work: Work, rules: Rules, path: Path) -> None:
    """Run the steps, then the checks, until these are silent or the steps can do no more."""
    due: Collection[str] = rules.steps
    found: Found = {}
    for _ in range(ROUNDS):
        before = len(work.changes)
        for step in (s for s in STEPS if s in due):
            ACTS[step](work, rules)
        if found and len(work.changes) == before:
            break
        found = checked(work.result(path), work.against, rules)
        due = {STEP_OF[name] for name, items in found.items() if items}
        if not due:
            break
    work.checked = {name: len(items) for name, items in found.items()}
    result, quoted = work.result(path), "redact" in rules.steps
    unsettled = {**_unsettled(found), **_unclaimed(result, rules)}
    work.left = [Left(what, _told(items, quoted)) for what, items in unsettled.items()]
    if not len(result):
        work.left.append(Left("no row is left"))


def checked(result: Dataset, against: Sequence[Dataset], rules: Rules) -> Found:
    """Return what each check that belongs to the steps finds in a result; hints are none."""
    similarity = rules.similarity
    found: Found = {}
    if "format" in rules.steps:
        found["format"] = [*format.find(result, fewest=0, largest=inf)]
    if "redact" in rules.steps:
        found["pii"] = [*pii.find(result, ignore=rules.ignore, allow=rules.allow)]
        found["secrets"] = [*secrets.find(result)]
    if "labels" in rules.steps and rules.labels(result):
        spelled = consistency.output_format(result, task="classification")
        found["labels"] = [f for f in spelled if f.kind == "near miss"]
    if "duplicates" in rules.steps:
        near = duplicates.near(result, similarity=similarity)
        found["duplicates"] = [*duplicates.find(result), *near]
    if "leaks" in rules.steps and against:
        leaks = (leakage.find(other, result, similarity=similarity) for other in against)
        found["leakage"] = [finding for each in leaks for finding in each]
    return found


def _unsettled(found: Found) -> Found:
    """Return what the steps could not put right, by kind."""
    kinds: Found = {}
    for name, items in found.items():
        for finding in items:
            kinds.setdefault(f"{finding.kind} ({name}), at", []).append(finding)
    return kinds


def _unclaimed(result: Dataset, rules: Rules) -> Found:
    """Return what fix sees and does not decide: answers that contradict, other system prompts."""
    found: Found = {}
    if "duplicates" in rules.steps:
        found["same question, another answer, at"] = [*labels.contradictions(result)]
    if "format" in rules.steps:
        found["another system prompt, or none, from"] = [*consistency.system_prompt(result)]
    return {what: items for what, items in found.items() if items}


def _told(found: Sequence[Finding], quoted: bool) -> list[tuple[int | None, str]]:
    """Return lines and evidence; where rows were not redacted, evidence must not quote them."""
    return [(f.line, f"{f.kind}: {f.evidence}" if quoted else f.kind) for f in found]
