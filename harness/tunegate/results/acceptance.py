"""The accepted findings that a running test of the data suite leaves out, and those it made."""

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
    """One entry of accepted.toml; `where` and `evidence` are for people who read the diff."""

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
    """The entries in force while a test of the data suite runs, and the findings it has made."""

    entries: Mapping[str, AcceptedEntry]
    made: list[Findings] = field(default_factory=list)


_acceptance: ContextVar[Acceptance | None] = ContextVar("tunegate_accepted", default=None)


@contextmanager
def accepting(entries: Mapping[str, AcceptedEntry]) -> Iterator[list[Findings]]:
    """Accept the findings of these entries inside the block; yield a list of all that it makes.

    Outside of such a block (a notebook, a model suite) nothing is accepted: findings may be used
    there to leave rows out, and an entry gives no reason to keep them.
    """
    acceptance = Acceptance(entries)
    token = _acceptance.set(acceptance)
    try:
        yield acceptance.made
    finally:
        _acceptance.reset(token)


def is_accepting() -> bool:
    """Return whether findings can be accepted: only while a test of the data suite runs."""
    return _acceptance.get() is not None


def is_accepted(check: str, finding: Finding) -> bool:
    """Return whether an entry in force accepts this finding of this check."""
    acceptance = _acceptance.get()
    entry = acceptance.entries.get(finding.id) if acceptance else None
    # An entry edited to name another check or kind than that of its id would mislead its reader.
    return entry is not None and (entry.check, entry.kind) == (check, finding.kind)


def collect(findings: Findings) -> None:
    """Add these findings to those of the running test; outside of `accepting`, do nothing."""
    if acceptance := _acceptance.get():
        acceptance.made.append(findings)
