"""Predictions: one row per test example, with what was expected and what the model answered."""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .finding import Items, Located

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Prediction(Located):
    """One test example and a model's answer; without one `error` says why, and `got` is ""."""

    row: int
    line: int
    prompt: str
    expected: str  # it and `got` are without `reasoning`
    got: str
    error: str = ""
    latency: float = 0.0  # in seconds; this and what follows are the Answer's
    tokens: int = 0
    cost: float = 0.0  # in USD
    prompt_tokens: int = 0
    finish: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)  # beside the messages
    calls: str = ""  # of tools, as JSON of names and arguments; "" for none
    expected_calls: str = ""
    reasoning: str = ""
    references: Sequence[str] = ()  # replies that are as right as `expected`
    asked_at: float = 0.0
    given: Sequence[Mapping[str, Any]] = field(default=(), repr=False)  # messages before the reply
    # Rows of one group, and of one request (the digest of what was asked), are not independent.
    group: str = ""
    request: str = ""

    @property
    def right(self) -> bool:
        """Whether the answer is an expected one, white space around both aside."""
        from .labels import exact

        return exact.right(self)


class Predictions(Items[Prediction]):
    """A model's predictions in a test set's order; `repetitions` has those of each time."""

    def __init__(
        self, rows: Sequence[Prediction], *, model: str = "", test: str = "", digest: str = "",
        repetitions: "Sequence[Predictions]" = (),
    ) -> None:  # fmt: skip
        self.items = tuple(rows)
        # The name of the model, the digest of the test set, and that of the model.
        self.model, self.test, self.digest = model, test, digest
        self.repetitions = tuple(repetitions)

    @classmethod
    def repeated(cls, times: "Sequence[Predictions]") -> "Predictions":
        """Return the predictions of the first time, with those of all times beside them."""
        first = copy(times[0])
        first.repetitions = tuple(times) if len(times) > 1 else ()
        return first

    @property
    def errors(self) -> list[Prediction]:
        """The predictions without an answer."""
        return [p for p in self if p.error]

    def without(self, rows: Collection[int]) -> "Predictions":
        """Return the predictions of all rows but these (such as `leakage.find(...).rows`)."""
        excluded, remaining = frozenset(rows), copy(self)
        remaining.items = tuple(p for p in self if p.row not in excluded)
        remaining.repetitions = tuple(times.without(excluded) for times in self.repetitions)
        return remaining

    @property
    def frame(self) -> "pd.DataFrame":
        """A new pandas frame, with one column for each field of a Prediction."""
        import pandas as pd

        return pd.DataFrame({c: [getattr(p, c) for p in self] for c in Prediction.__slots__})

    def __repr__(self) -> str:
        return f"<predictions of {self.model}: {len(self):,} rows, {len(self.errors):,} errors>"
