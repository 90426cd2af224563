"""The verdict on a session: what the suite holds, what passed, whether the bytes are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import gate, inventory, receipt
from .gate import GateDecision
from .inventory import CollectedSuite, CollectionFailed

if TYPE_CHECKING:
    from .context import SessionContext


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
        collected = inventory.collect_suite(suite, session.root, options)
    except CollectionFailed as error:
        not_collected = GateDecision(f"the suite could not be listed: {error}")
        failure = gate.first_failure(session.results)
        return GateEvaluation(not_collected if failure.is_open else failure)
    decision = gate.decide(session.results, collected, exit_status)
    digests = session.splits.current_digests()
    if decision.is_open and receipt.suite_fingerprint(suite, session.root) != suite_files:
        decision = GateDecision("the suite or its configuration changed while it ran; run again")
    if decision.is_open:
        decision = gate.decide_on_digests(
            session.results, {**digests, "predictions": model}, required
        )
    return GateEvaluation(decision, collected, digests)
