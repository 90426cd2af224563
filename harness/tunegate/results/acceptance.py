"""The entries of accepted.toml: findings that a person looked at, and that close no gate."""

from dataclasses import dataclass, fields

from .outcome import collect_outcomes


@dataclass(frozen=True, slots=True)
class AcceptedEntry:
    """One entry of accepted.toml; `where` and `evidence` are for people who read the diff.

    It holds in the splits of `split`, as in "test, train", or in all: older ones name none.
    """

    id: str
    check: str
    kind: str
    where: str
    evidence: str
    why: str
    who: str
    when: str
    split: str = ""

    @property
    def splits(self) -> set[str]:
        """The splits that the entry holds in; empty for all."""
        return {*self.split.split(", ")} - {""}

    def holds_in(self, split: str) -> bool:
        """Return whether a finding in this split is accepted."""
        return not self.splits or split in self.splits


ENTRY_KEYS = [f.name for f in fields(AcceptedEntry)]


# Inside `with accepting(entries):` the findings of these entries are accepted, and have ids.
accepting = collect_outcomes
