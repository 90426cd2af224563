"""Records in the test that runs what each check found and how each score compared."""

from collections import deque
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["point", "lower"]  # what is held to a limit: the estimate, or its 95 % bound


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found, or whether one score held its limit.

    `passed` is None where it could not be measured. `data` holds the figures as builtins, of a
    check with the key `found`; `subject` is the Findings or the Score. `fixture` names the fixture
    that made it; it is "" where the test itself did.
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


@dataclass(frozen=True, slots=True)
class AcceptedEntry:
    """One entry of accepted.toml: a finding that a person looked at, and that closes no gate.

    `where` and `evidence` are for people; it holds in the splits of `split`, or all (older ones).
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


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Where outcomes go, what can be accepted (None: nothing), and the mode for plain numbers."""

    outcomes: MutableSequence[Outcome]
    accepted: Mapping[str, AcceptedEntry] | None
    mode: Mode


# The running test, and inside of it the fixture that is set up: the last one is recorded into. The
# first one, of no test (a notebook), keeps nothing. No ContextVar: a check in a thread counts too.
recordings = [Recording(deque(maxlen=0), None, "point")]

# True while a check looks for its findings.
inside_check: ContextVar[bool] = ContextVar("tunegate_inside_check", default=False)


def record(outcome: Outcome) -> None:
    """Add an outcome to those of the running test, unless a check has asked another check."""
    if not inside_check.get():
        recordings[-1].outcomes.append(outcome)


def record_table(name: str, rows: Sequence[Sequence[str]]) -> None:
    """Add a table to what the session shows and its scorecard keeps; the first row is its head."""
    record(Outcome(name, "", True, f"table: {name}", {"table": [[*row] for row in rows]}))


@contextmanager
def collect_outcomes(
    accepted: Mapping[str, AcceptedEntry] | None = None, mode: Mode | None = None
) -> Iterator[list[Outcome]]:
    """Yield a list that takes the outcomes recorded inside the block.

    `accepted`, and `mode`, by which scores are held to plain numbers, are by default those of the
    block around it. Outside of blocks (a notebook, a model suite) nothing is accepted: findings may
    be used there to leave rows out, and an entry gives no reason to keep them.
    """
    outcomes: list[Outcome] = []
    around = recordings[-1]
    accepted = around.accepted if accepted is None else accepted
    recording = Recording(outcomes, accepted, mode or around.mode)
    recordings.append(recording)
    try:
        yield outcomes
    finally:
        recordings.remove(recording)
