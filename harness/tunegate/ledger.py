"""The ledger: every judgement a running test makes, wherever in it (or its fixtures) it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Judgement:
    """One question put to a value: is it clean, does it hold its limit?"""

    name: str
    split: str
    held: bool | None  # None: it could not be measured
    line: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    subject: object = field(repr=False, compare=False, default=None)

    def plain(self) -> dict[str, Any]:
        """As builtins, which survive xdist, JUnit and JSON."""
        said = {"name": self.name, "split": self.split, "held": self.held, "line": self.line}
        return {**said, **self.facts}


_ledger: ContextVar[list[Judgement] | None] = ContextVar("tunegate_ledger", default=None)


def record(judgement: Judgement) -> None:
    """Write a judgement down, where a test is running; elsewhere (a notebook) do nothing."""
    entries = _ledger.get()
    if entries is not None:
        entries.append(judgement)


@contextmanager
def recording() -> Iterator[list[Judgement]]:
    """Collect the judgements made inside the block."""
    entries: list[Judgement] = []
    token = _ledger.set(entries)
    try:
        yield entries
    finally:
        _ledger.reset(token)
