"""Finding and Findings: what a check returns, falsy where it found nothing."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar, overload

from ..utils.text import counted
from .outcome import Outcome
from .score import Score, proportion

NOT_APPLICABLE = "nothing to judge"  # kind of a hint that -v shows: the check has no subject


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a dataset, or of a model's answers, and its place.

    A check makes it with `example.finding(kind, evidence)`, `prediction.finding(kind, evidence)` or
    `Finding.of_dataset(kind, evidence)`.
    """

    row: int | None  # the number of the example, from 0; None: the whole dataset is concerned
    line: int | None  # the line of the file, from 1; None as for `row`
    kind: str  # in one or two words; the table counts findings by kind
    evidence: str  # one line, already masked where it is personal data
    hint: bool = False  # it is advice: printed, and closes no gate
    # What the finding concerns where that is more than its row (both rows of a pair, a figure),
    # without row and line numbers. The id is made of it; leave it out otherwise.
    fingerprint: str = field(default="", compare=False, repr=False)
    id: str = field(default="", compare=False, repr=False)  # to accept it by; `@check` fills it in

    @classmethod
    def of_dataset(
        cls, kind: str, evidence: str, *, hint: bool = False, fingerprint: str = ""
    ) -> Self:
        """Return a finding about the whole dataset."""
        return cls(None, None, kind, evidence, hint, fingerprint)

    @classmethod
    def dataset_hint(cls, kind: str, evidence: str) -> Self:
        """Return advice about the whole dataset: it is printed, and closes no gate."""
        return cls(None, None, kind, evidence, hint=True)


class Located:
    """Makes findings about a row: the base of Example and Prediction."""

    __slots__ = ()
    row: int
    line: int

    def finding(
        self, kind: str, evidence: str, *, hint: bool = False, fingerprint: str = ""
    ) -> Finding:
        """Return a finding about this row; see `Finding` for what the arguments mean."""
        return Finding(self.row, self.line, kind, evidence, hint, fingerprint)

    def hint(self, kind: str, evidence: str) -> Finding:
        """Return advice about this row: it is printed, and closes no gate."""
        return Finding(self.row, self.line, kind, evidence, hint=True)


def sort_by_line(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order of their lines, those about the whole dataset first."""
    return sorted(findings, key=lambda f: (f.line is not None, f.line or 0))


T = TypeVar("T", covariant=True)


class Items(Sequence[T]):
    """A sequence that does not change: the base of Dataset, Findings and Predictions."""

    items: tuple[T, ...]

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


class Findings(Items[Finding]):
    """The findings of one check in one dataset, as a sequence that is falsy where it is empty.

    `.hints` and `.accepted` (those that the project's accepted.toml lists, while the data suite
    runs) are not among its items, and close no gate. `n` counts the examples that were checked.
    `named` is false where the name was made of the check's file and function.
    """

    def __init__(
        self, name: str, items: Iterable[Finding], *, accepted: Iterable[Finding] = (),
        split: str = "", path: str = "", n: int = 0, named: bool = True,
    ) -> None:  # fmt: skip
        ordered = sort_by_line(items)
        self.name, self.split, self.path, self.n, self.named = name, split, path, n, named
        self.items = tuple(f for f in ordered if not f.hint)
        self.hints = tuple(f for f in ordered if f.hint)
        self.accepted = tuple(sort_by_line(accepted))

    def outcome(self, advisory: bool) -> Outcome:
        """Return the outcome that `@check` records; as `advisory`, findings become a hint."""
        advice = [f for f in self.hints if f.kind != NOT_APPLICABLE]
        hints = [f.evidence if f.line is None else f"line {f.line:,}: {f.evidence}" for f in advice]
        accepted = [f.id for f in self.accepted]
        idle = [f.evidence for f in self.hints if f.kind == NOT_APPLICABLE]
        data: dict[str, Any] = {"found": len(self), "n": self.n, "accepted": accepted}
        data |= {"hints": hints, "idle": idle}
        if advisory:
            data["advisory"] = True
            hints[:0] = [f"advisory: {self.counts}"] if self else []
        return Outcome(self.name, self.split, advisory or not self, repr(self), data, self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Findings):
            return (self.items, self.hints) == (other.items, other.hints)
        return isinstance(other, Sequence) and list(self.items) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def rows(self) -> list[int]:
        """The row numbers of the examples with a finding, each once, in order."""
        return sorted({f.row for f in self.items if f.row is not None})

    @property
    def kinds(self) -> dict[str, int]:
        """How many findings of each kind, the commonest first."""
        return dict(Counter(f.kind for f in self.items).most_common())

    @property
    def rate(self) -> Score:
        """The share of examples with a finding; it has no bounds, as all were checked."""
        name, rows = f"{self.name} rate", len(self.rows)
        name += f" of {self.split}" if self.split else ""
        return proportion(name, rows, self.n, misses=self, higher_is_better=False).by("point")

    @property
    def counts(self) -> str:
        """How many findings of the commonest kinds there are, and in how many examples."""
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in list(self.kinds.items())[:4])
        more = f", {counted(len(self.kinds) - 4, 'more kind')}" if len(self.kinds) > 4 else ""
        rows = f" in {len(self.rows):,} of {self.n:,} examples" if self.rows else ""
        return f"{kinds}{more}{rows}" if self else f"nothing found in {counted(self.n, 'example')}"

    def __repr__(self) -> str:
        """Return one line, counts first: pytest shows no more of a failed `assert not findings`."""
        split_text = f" of {self.split}" if self.split else ""
        accepted_text = f"; {len(self.accepted):,} accepted" if self.accepted else ""
        return f"<{self.name}: {self.counts}{split_text}{accepted_text}>"
