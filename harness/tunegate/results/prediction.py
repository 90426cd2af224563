"""Predictions: one row per test example, with what was expected and what the model answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from .finding import Located

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Prediction(Located):
    """One test example and a model's answer; without an answer `error` says why, and `got` is "".

    `row`, `line` and `fields` (beside the messages) are the example's; `latency` (seconds), `cost`
    (USD), `tokens`, `prompt_tokens` and `finish` are the Answer's. `given` are the messages that
    the model was given. Rows of one `group`, and of one `request` (a digest of all that the model
    was given), are not independent; "" for none.
    """

    row: int
    line: int
    prompt: str
    expected: str
    got: str
    error: str = ""
    latency: float = 0.0
    tokens: int = 0
    cost: float = 0.0
    prompt_tokens: int = 0
    finish: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    given: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    group: str = ""
    request: str = ""

    @property
    def right(self) -> bool:
        """Whether the answer is the expected one, white space around both aside."""
        return not self.error and self.got.strip() == self.expected.strip()


class Predictions(Sequence[Prediction]):
    """One model's predictions over one test set, in the order of the test set."""

    def __init__(self, rows: Sequence[Prediction], *, model: str = "", test: str = "") -> None:
        self._rows = tuple(rows)
        self.model, self.test = model, test  # the model's name, the test set's digest

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | Sequence[Prediction]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def errors(self) -> list[Prediction]:
        """The predictions without an answer."""
        return [p for p in self._rows if p.error]

    def without(self, rows: Collection[int]) -> Predictions:
        """Return the predictions of all rows but these (such as `leakage.find(...).rows`)."""
        excluded = frozenset(rows)
        remaining = [p for p in self._rows if p.row not in excluded]
        return Predictions(remaining, model=self.model, test=self.test)

    @property
    def frame(self) -> pd.DataFrame:
        """A new pandas frame, with one column for each field of a Prediction."""
        import pandas as pd

        return pd.DataFrame({c: [getattr(p, c) for p in self] for c in Prediction.__slots__})

    def __repr__(self) -> str:
        return f"<predictions of {self.model}: {len(self):,} rows, {len(self.errors):,} errors>"
