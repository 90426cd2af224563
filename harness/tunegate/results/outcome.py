"""Records the outcome of each check and each comparison that a running test makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether one check found nothing, or one score held its limit.

    `summary` is one line; `data` holds the figures as builtins; `subject` is the Findings or Score.
    """

    name: str
    split: str
    passed: bool | None  # None: it could not be measured
    summary: str
    data: Mapping[str, Any] = field(default_factory=dict)
    subject: object = field(repr=False, compare=False, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as builtins, which xdist, JUnit and JSON can carry."""
        fields = {"name": self.name, "split": self.split, "held": self.passed, "line": self.summary}
        return {**fields, **self.data}


_outcomes: ContextVar[list[Outcome] | None] = ContextVar("tunegate_ledger", default=None)


def record(outcome: Outcome) -> None:
    """Add an outcome to those of the running test; do nothing elsewhere (in a notebook)."""
    outcomes = _outcomes.get()
    if outcomes is not None:
        outcomes.append(outcome)


@contextmanager
def collect_outcomes() -> Iterator[list[Outcome]]:
    """Yield a list that takes the outcomes recorded inside the block, fixtures' included."""
    outcomes: list[Outcome] = []
    token = _outcomes.set(outcomes)
    try:
        yield outcomes
    finally:
        _outcomes.reset(token)
