"""The gate's one rule: open if and only if the whole inventory passed, on exactly these bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..results.session_results import SessionResults
from . import collection, suite_fingerprint
from .collection import CollectedSuite, CollectionFailed

if TYPE_CHECKING:
    from ..session.context import SessionContext


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Open, or closed with the reason in one line."""

    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether training, or promotion, may go on."""
        return not self.reason


def decide(results: SessionResults, inventory: CollectedSuite, exit_status: int) -> GateDecision:
    """Decide from what ran; the exit status can only close the gate, never open it."""
    if not (failure := first_failure(results)).is_open:
        return failure
    if inventory.skipped:
        return GateDecision(f"{abbreviate(inventory.skipped)} skipped itself while it was imported")
    if not inventory.tests:
        return GateDecision("the suite holds no test")
    if missing := results.missing(inventory.tests):
        n = len(inventory.tests)
        return GateDecision(
            f"{n - len(missing)} of {n} tests passed; {abbreviate(missing)} did not run"
        )
    if exit_status:
        return GateDecision(
            f"every test passed, but pytest ended with exit status {int(exit_status)}"
        )
    return GateDecision()


def decide_on_digests(
    results: SessionResults, files: Mapping[str, str], required: Sequence[str]
) -> GateDecision:
    """Decide whether the bytes that were judged are the bytes on disk now (split: digest)."""
    for split in required:
        judged = {digest for name, digest in results.digests if name == split}
        if not judged:
            subject = "predictions" if split == "predictions" else f"{split} data"
            return GateDecision(f"no test of the suite looked at the {subject}")
        if judged != {files[split]}:
            return GateDecision(f"the {split} data changed while it was being checked; run again")
    return GateDecision()


def first_failure(results: SessionResults) -> GateDecision:
    """Return the gate, closed where anything kept a test from passing."""
    counts_by_kind = Counter(results.not_passed.values())
    if not counts_by_kind:
        return GateDecision()
    counts = ", ".join(f"{n} {kind}" for kind, n in counts_by_kind.items())
    more = " ..." if len(results.not_passed) > 1 else ""
    return GateDecision(f"{counts}: {next(iter(results.not_passed))}{more}")


def abbreviate(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


# [merged] The verdict on a session: what the suite holds, what passed, whether the bytes are the same.


@dataclass(frozen=True, slots=True)
class GateEvaluation:
    """The gate, and what a receipt or scorecard says of how it came to be open or closed."""

    decision: GateDecision
    collected: CollectedSuite = field(default_factory=lambda: CollectedSuite([]))
    digests: dict[str, str] = field(default_factory=dict)


def evaluate_gate(
    session: SessionContext,
    suite: Path,
    suite_files: dict[str, str],
    exit_status: int,
    required: Sequence[str],
    model: str = "",
) -> GateEvaluation:
    """Judge the session.

    `suite_files` is what the suite's files were when it began; of each split in `required` some passed
    test must have judged just the bytes that are on disk now, and of `predictions` those of the
    candidate, whose digest is `model`.
    """
    options = [f"--{split}-data={path}" for split, path in session.splits.paths.items()]
    # Data outside the project, named on the command line, moves pytest's root, and with it all ids.
    options += [f"--rootdir={session.rootdir}"]
    try:
        collected = collection.collect_suite(suite, session.root, options)
    except CollectionFailed as error:
        not_collected = GateDecision(f"the suite could not be listed: {error}")
        failure = first_failure(session.results)
        return GateEvaluation(not_collected if failure.is_open else failure)
    decision = decide(session.results, collected, exit_status)
    digests = session.splits.current_digests()
    if decision.is_open and suite_fingerprint.suite_fingerprint(suite, session.root) != suite_files:
        decision = GateDecision("the suite or its configuration changed while it ran; run again")
    if decision.is_open:
        decision = decide_on_digests(session.results, {**digests, "predictions": model}, required)
    return GateEvaluation(decision, collected, digests)
