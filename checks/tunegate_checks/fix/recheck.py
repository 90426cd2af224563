"""Check what a fix wrote: with the checks that belong to its steps, and with all other data checks.

`FixRules` has the settings of both. Left out are `tokens`, which needs the tokenizer of the model,
and `review`, which people do.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from tunegate.config.schema import Limits
from tunegate.data.comparison import label_counts
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
from ..review.sheet import SheetEntry
from .changes import STEPS
from .redact import Redactor

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


def findings_of_steps(
    result: Dataset, against: Sequence[Dataset], rules: FixRules
) -> FindingsByCheck:
    """Return the findings, without hints, of each check that belongs to the chosen steps."""
    limits, similarity, believed = rules.limits, rules.limits.similarity, rules.limits.surrogates
    findings: FindingsByCheck = {}
    if "format" in rules.steps:
        of_format = format.find(result, fewest=0, largest=inf)
        findings["format"] = [f for f in of_format if f.row is not None]
    if "redact" in rules.steps:
        ignore, allow, names = limits.pii_ignore, limits.pii_allow, limits.pii_names
        found = pii.find(result, ignore=ignore, allow=allow, names=names, surrogates=believed)
        findings["pii"] = [*found]
        findings["secrets"] = [*secrets.find(result, allow=limits.pii_allow)]
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
    """Yield what every other data check finds; without a task, those that need none."""
    limits, task, skipped, believed = rules.limits, rules.task, rules.steps, rules.limits.surrogates
    yield "labels.contradictions", labels.contradictions(result)
    yield "consistency.system_prompt", consistency.system_prompt(result)
    yield "preferences", preferences.find(result, similarity=limits.similarity)
    # What is wrong with the file, or with its fields, is no fault of a row that a step could mend.
    is_limited = task and "format" in skipped
    fewest, largest = (limits.fewest_examples, limits.largest_mb) if is_limited else (0, inf)
    of_format = format.find(result, fewest=fewest, largest=largest)
    yield "format", [f for f in of_format if f.row is None or "format" not in skipped]
    if "redact" not in skipped:
        ignore, allow, names = limits.pii_ignore, limits.pii_allow, limits.pii_names
        yield "pii", pii.find(result, ignore=ignore, allow=allow, names=names, surrogates=believed)
        yield "secrets", secrets.find(result, allow=allow)
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
