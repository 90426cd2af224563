"""Which findings are accepted while a test of the data suite runs, and which it has made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .finding import Finding, Findings


@dataclass(frozen=True, slots=True)
class AcceptedEntry:
    """One accepted finding; `where` and `evidence` are for whoever reads the diff."""

    id: str
    check: str
    kind: str
    where: str
    evidence: str
    why: str
    who: str
    when: str


ENTRY_KEYS = [f.name for f in fields(AcceptedEntry)]


@dataclass(slots=True)
class Acceptance:
    """What is in force while a test of the data suite runs, and the findings it has made."""

    entries: Mapping[str, AcceptedEntry]
    made: list[Findings] = field(default_factory=list)


_acceptance: ContextVar[Acceptance | None] = ContextVar("tunegate_accepted", default=None)


@contextmanager
def accepting(entries: Mapping[str, AcceptedEntry]) -> Iterator[list[Findings]]:
    """Accept these entries inside the block; collects the findings that are made there.

    Outside of such a block (a notebook, a model suite) nothing is accepted: a finding may then
    serve to leave rows out, and no reason was ever given for leaving them in.
    """
    acceptance = Acceptance(entries)
    token = _acceptance.set(acceptance)
    try:
        yield acceptance.made
    finally:
        _acceptance.reset(token)


def is_accepting() -> bool:
    """Say whether findings can be accepted here: while a test of the data suite runs."""
    return _acceptance.get() is not None


def is_accepted(check: str, finding: Finding) -> bool:
    """Say whether an entry in force accepts this finding of this check."""
    acceptance = _acceptance.get()
    entry = acceptance.entries.get(finding.id) if acceptance else None
    # An entry that names another check or kind than its id stands for misleads whoever reads it.
    return entry is not None and (entry.check, entry.kind) == (check, finding.kind)


def collect(findings: Findings) -> None:
    """Remember that these findings were made, where that is asked for."""
    if acceptance := _acceptance.get():
        acceptance.made.append(findings)
