"""Check what a fix wrote: with the checks that belong to its steps, and with all other data checks.

Left out are `tokens`, which needs the tokenizer of the model, and `review`, which people do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf

from tunegate.data.dataset import Dataset
from tunegate.results.finding import Finding

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
from .rules import FixRules

FindingsByCheck = dict[str, list[Finding]]
Checks = Iterator[tuple[str, Callable[[], Iterable[Finding]]]]


def findings_of_steps(
    result: Dataset, against: Sequence[Dataset], rules: FixRules
) -> FindingsByCheck:
    """Return the findings, without hints, of each check that belongs to the chosen steps."""
    limits, similarity = rules.limits, rules.limits.similarity
    findings: FindingsByCheck = {}
    if "format" in rules.steps:
        of_format = format.find(result, fewest=0, largest=inf)
        findings["format"] = [f for f in of_format if f.row is not None]
    if "redact" in rules.steps:
        ignore, allow, names = limits.pii_ignore, limits.pii_allow, limits.pii_names
        findings["pii"] = [*pii.find(result, ignore=ignore, allow=allow, names=names)]
        findings["secrets"] = [*secrets.find(result, allow=limits.pii_allow)]
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


def findings_of_others(
    result: Dataset, against: Sequence[Dataset], rules: FixRules
) -> FindingsByCheck:
    """Return the findings, without hints, of every other data check, those with some alone.

    Outside of a project the checks that need its task or its limits are left out.
    """
    checks = [*_row_checks(result, against, rules)]
    if rules.task:
        checks += _project_checks(result, against, rules)
    found = {name: [*find()] for name, find in checks}
    return {name: findings for name, findings in found.items() if findings}


def _row_checks(result: Dataset, against: Sequence[Dataset], rules: FixRules) -> Checks:
    limits, skipped = rules.limits, rules.steps
    yield "labels.contradictions", lambda: labels.contradictions(result)
    yield "consistency.system_prompt", lambda: consistency.system_prompt(result)
    yield "preferences", lambda: preferences.find(result, similarity=limits.similarity)
    # What is wrong with the file, or with its fields, is no fault of a row that a step could mend.
    is_limited = rules.task and "format" in skipped
    fewest, largest = (limits.fewest_examples, limits.largest_mb) if is_limited else (0, inf)
    yield (
        "format",
        lambda: [
            f
            for f in format.find(result, fewest=fewest, largest=largest)
            if f.row is None or "format" not in skipped
        ],
    )
    if "redact" not in skipped:
        ignore, allow, names = limits.pii_ignore, limits.pii_allow, limits.pii_names
        yield "pii", lambda: pii.find(result, ignore=ignore, allow=allow, names=names)
        yield "secrets", lambda: secrets.find(result, allow=limits.pii_allow)
    if "duplicates" not in skipped:
        yield "duplicates", lambda: duplicates.find(result)
        yield "duplicates.near", lambda: duplicates.near(result, similarity=limits.similarity)
    if "leaks" not in skipped and against:
        train = against[0]
        yield "leakage", lambda: leakage.find(train, result, similarity=limits.similarity)


def _project_checks(result: Dataset, against: Sequence[Dataset], rules: FixRules) -> Checks:
    limits, task, prompt = rules.limits, rules.task, rules.prompt
    train = next((other for other in against if other.split == "train"), None)
    yield (
        "consistency.output_format",
        lambda: [
            f
            for f in consistency.output_format(result, task=task)
            if "labels" not in rules.steps or f.kind != "near miss"
        ],
    )
    if prompt is not None:
        yield "consistency.inference", lambda: consistency.inference(result, prompt)
    if task == "classification":
        yield "balance", lambda: balance.find(result, rarest=limits.rarest_class)
    if result.split == "train":
        per_class = limits.fewest_per_class
        yield "size", lambda: size.find(result, task=task, per_class=per_class)
        opening, distinct = limits.opening, limits.distinct
        yield (
            "diversity",
            lambda: diversity.find(result, task=task, distinct=distinct, opening=opening),
        )
    if result.split == "test":
        smallest = limits.smallest_test
        yield "size.enough_test_rows", lambda: size.enough_test_rows(result, smallest=smallest)
    if train is None or result.split == "train":
        return
    yield "consistency.across", lambda: consistency.across(train, result)
    if task == "classification":
        yield "consistency.labels", lambda: consistency.labels(train, result)
    psi, auc = limits.psi, limits.drift_auc
    yield "splits.drift", lambda: splits.drift(train, result, psi_limit=psi, auc_limit=auc)
    if result.split == "validation":
        low, high = limits.validation_low, limits.validation_high
        yield "splits.share", lambda: splits.share(train, result, low=low, high=high)
