"""Records in the test that runs what each check found and how each score compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .acceptance import AcceptedEntry


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found, or whether one score held its limit.

    Attributes:
        passed: The check found nothing, or is advisory; the score held its limit. None: it could
            not be measured.
        summary: One line.
        data: The figures as builtins; those of a check have the key `found`.
        subject: The Findings or the Score.
        fixture: The name of the fixture that made it; "" where the test itself did.
    """

    name: str
    split: str
    passed: bool | None
    summary: str
    data: Mapping[str, Any] = field(default_factory=dict)
    subject: object = field(repr=False, compare=False, default=None)
    fixture: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as builtins, which xdist, JUnit and JSON can carry."""
        fields = {"name": self.name, "split": self.split, "held": self.passed, "line": self.summary}
        return {**fields, **self.data}


@dataclass(frozen=True, slots=True, eq=False)
class _Recording:
    outcomes: list[Outcome]
    accepted: Mapping[str, AcceptedEntry] | None


# The running test, and inside of it the fixture that is set up: the last one is recorded into. No
# ContextVar, so that a check counts which the test runs in a thread.
_recordings: list[_Recording] = []

# True while a check looks for its findings.
inside_check: ContextVar[bool] = ContextVar("tunegate_inside_check", default=False)


def record(outcome: Outcome) -> None:
    """Add an outcome to those of the running test; do nothing elsewhere (in a notebook).

    Inside a check nothing is recorded: what it asks of other checks is in its own findings.
    """
    if _recordings and not inside_check.get():
        _recordings[-1].outcomes.append(outcome)


@contextmanager
def collect_outcomes(
    accepted: Mapping[str, AcceptedEntry] | None = None,
) -> Iterator[list[Outcome]]:
    """Yield a list that takes the outcomes recorded inside the block.

    Args:
        accepted: The entries whose findings are accepted inside the block; by default those of the
            block around it. Outside of such a block (a notebook, a model suite) nothing is
            accepted: findings may be used there to leave rows out, and an entry gives no reason to
            keep them.
    """
    recording = _Recording([], accepted_entries() if accepted is None else accepted)
    _recordings.append(recording)
    try:
        yield recording.outcomes
    finally:
        _recordings.remove(recording)


def accepted_entries() -> Mapping[str, AcceptedEntry] | None:
    """Return the entries in force; None where findings cannot be accepted."""
    return _recordings[-1].accepted if _recordings else None
