"""The verdict on a session: what the suite holds, what passed, whether the bytes are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import gate, inventory, receipt
from .gate import Gate
from .inventory import Inventory, InventoryFailed

if TYPE_CHECKING:
    from .context import SessionContext


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate, and what a receipt or scorecard says of how it came to be open or closed."""

    gate: Gate
    inventory: Inventory = field(default_factory=lambda: Inventory([]))
    digests: dict[str, str] = field(default_factory=dict)


def reach(
    session: SessionContext,
    suite: Path,
    before: dict[str, str],
    exit_status: int,
    needed: Sequence[str],
    model: str = "",
) -> Verdict:
    """Judge the session.

    `before` is what the suite's files were when it began; of each split in `needed` some passed
    test must have judged just the bytes that are on disk now, and of `predictions` those of the
    candidate, whose digest is `model`.
    """
    options = [f"--{split}-data={path}" for split, path in session.splits.paths.items()]
    # Data outside the project, named on the command line, moves pytest's root, and with it all ids.
    options += [f"--rootdir={session.rootdir}"]
    try:
        listed = inventory.take(suite, session.root, options)
    except InventoryFailed as error:
        unlisted = Gate(f"the suite could not be listed: {error}")
        troubled = gate.troubled(session.results)
        return Verdict(unlisted if troubled.open else troubled)
    decided = gate.judge(session.results, listed, exit_status)
    digests = session.splits.digests()
    if decided.open and receipt.judged_files(suite, session.root) != before:
        decided = Gate("the suite or its configuration changed while it ran; run again")
    if decided.open:
        decided = gate.same_bytes(session.results, {**digests, "predictions": model}, needed)
    return Verdict(decided, listed, digests)
