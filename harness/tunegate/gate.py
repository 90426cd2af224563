"""The gate's one rule: open if and only if the whole inventory passed, on exactly these bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .tally import Tally


@dataclass(frozen=True, slots=True)
class Gate:
    """Open, or closed with the reason in one line."""

    why: str = ""

    @property
    def open(self) -> bool:
        """Whether training, or promotion, may go on."""
        return not self.why


def judge(tally: Tally, inventory: Sequence[str], exit_status: int) -> Gate:
    """Decide from what ran; the exit status can only close the gate, never open it."""
    if not inventory:
        return Gate("the suite holds no test")
    if tally.troubles:
        return Gate(_troubles(tally.troubles))
    if missing := tally.missing(inventory):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Gate(
            f"{len(tally.passed)} of {len(inventory)} tests of the suite passed; "
            f"{missing[0]}{more} did not run"
        )
    if exit_status:
        return Gate(f"every test passed, but pytest ended with exit status {int(exit_status)}")
    return Gate()


def same_bytes(tally: Tally, files: Mapping[str, str], needed: Sequence[str]) -> Gate:
    """Decide whether the bytes that were judged are the bytes on disk now (split: digest)."""
    for split in needed:
        judged = {digest for name, digest in tally.digests if name == split}
        if not judged:
            return Gate(f"no test of the suite looked at the {split} data")
        if judged != {files[split]}:
            return Gate(f"the {split} data changed while it was being checked; run again")
    return Gate()


def _troubles(troubles: Mapping[str, str]) -> str:
    kinds: dict[str, int] = {}
    for kind in troubles.values():
        kinds[kind] = kinds.get(kind, 0) + 1
    counts = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    more = " ..." if len(troubles) > 1 else ""
    return f"{counts}: {next(iter(troubles))}{more}"
