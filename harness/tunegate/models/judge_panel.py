"""The judges of a session as checks see them: whom to ask, by which rubric, and the limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..interfaces.model import Answer, Request


@dataclass(frozen=True, slots=True)
class Judge:
    """One judge: `ask` returns its answers by row; what it answered once is not asked again."""

    name: str
    digest: str
    ask: Callable[[Sequence[Request]], dict[int, Answer]]


@dataclass(frozen=True, slots=True, repr=False)
class JudgePanel:
    """Who judges by which rubric, and what it takes until that may close a gate.

    Each judge is asked `repetitions` times. `labels` is the file of human labels; `kappa`,
    `swap_consistency` and `fewest_labels` are the limits of the standing, whose last measurement is
    kept in the folder `calibration_dir`.
    """

    judges: Sequence[Judge]
    rubric: Path
    labels: Path | None = None
    repetitions: int = 1
    kappa: float = 0.6
    swap_consistency: float = 0.8
    fewest_labels: int = 30
    calibration_dir: Path | None = None

    def __repr__(self) -> str:
        """Return a short form: pytest shows it beside every failed comparison."""
        return f"<jury: {', '.join(judge.name for judge in self.judges)}>"
