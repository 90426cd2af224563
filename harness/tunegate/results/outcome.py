"""The ledger: every judgement a running test makes, wherever in it (or its fixtures) it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question put to a value: is it clean, does it hold its limit?"""

    name: str
    split: str
    passed: bool | None  # None: it could not be measured
    summary: str
    data: Mapping[str, Any] = field(default_factory=dict)
    subject: object = field(repr=False, compare=False, default=None)

    def to_dict(self) -> dict[str, Any]:
        """As builtins, which survive xdist, JUnit and JSON."""
        fields = {"name": self.name, "split": self.split, "held": self.passed, "line": self.summary}
        return {**fields, **self.data}


_outcomes: ContextVar[list[Outcome] | None] = ContextVar("tunegate_ledger", default=None)


def record(outcome: Outcome) -> None:
    """Write a judgement down, where a test is running; elsewhere (a notebook) do nothing."""
    outcomes = _outcomes.get()
    if outcomes is not None:
        outcomes.append(outcome)


@contextmanager
def collect_outcomes() -> Iterator[list[Outcome]]:
    """Collect the judgements made inside the block."""
    outcomes: list[Outcome] = []
    token = _outcomes.set(outcomes)
    try:
        yield outcomes
    finally:
        _outcomes.reset(token)
