"""The entries of accepted.toml: findings that a person looked at, and that close no gate."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .outcome import collect_outcomes


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


# Inside `with accepting(entries):` the findings of these entries are accepted, and have ids.
accepting = collect_outcomes
