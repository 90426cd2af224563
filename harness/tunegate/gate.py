"""The gate's one rule: open if and only if the whole inventory passed, on exactly these bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .inventory import Inventory
from .tally import Tally


@dataclass(frozen=True, slots=True)
class Gate:
    """Open, or closed with the reason in one line."""

    why: str = ""

    @property
    def open(self) -> bool:
        """Whether training, or promotion, may go on."""
        return not self.why


def judge(tally: Tally, inventory: Inventory, exit_status: int) -> Gate:
    """Decide from what ran; the exit status can only close the gate, never open it."""
    if not (decided := troubled(tally)).open:
        return decided
    if inventory.skipped:
        return Gate(f"{several(inventory.skipped)} skipped itself while it was imported")
    if not inventory.tests:
        return Gate("the suite holds no test")
    if missing := tally.missing(inventory.tests):
        n = len(inventory.tests)
        return Gate(f"{n - len(missing)} of {n} tests passed; {several(missing)} did not run")
    if exit_status:
        return Gate(f"every test passed, but pytest ended with exit status {int(exit_status)}")
    return Gate()


def same_bytes(tally: Tally, files: Mapping[str, str], needed: Sequence[str]) -> Gate:
    """Decide whether the bytes that were judged are the bytes on disk now (split: digest)."""
    for split in needed:
        judged = {digest for name, digest in tally.digests if name == split}
        if not judged:
            what = "predictions" if split == "predictions" else f"{split} data"
            return Gate(f"no test of the suite looked at the {what}")
        if judged != {files[split]}:
            return Gate(f"the {split} data changed while it was being checked; run again")
    return Gate()


def troubled(tally: Tally) -> Gate:
    """Return the gate, closed where anything kept a test from passing."""
    kinds = Counter(tally.troubles.values())
    if not kinds:
        return Gate()
    counts = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    more = " ..." if len(tally.troubles) > 1 else ""
    return Gate(f"{counts}: {next(iter(tally.troubles))}{more}")


def several(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
