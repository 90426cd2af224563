"""The judges of a session as checks see them: models to ask, their rubric, and their limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..interfaces.model import Answer, Request


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that grades answers: `ask` returns its replies by row, out of the cache or anew."""

    name: str
    digest: str
    ask: Callable[[Sequence[Request]], dict[int, Answer]]


@dataclass(frozen=True, slots=True, repr=False)
class JudgePanel:
    """Judges, their rubric, and the agreement with people that they need to close a gate.

    Each judge is asked `repetitions` times. `labels` is the file of human labels. `kappa`,
    `swap_consistency` (the share of verdicts that stay when two answers change places) and
    `fewest_labels` (a count) are the least values that a calibration needs; the last calibration
    is kept in the folder `calibration_dir`.
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
        return f"<judges: {', '.join(judge.name for judge in self.judges)}>"
