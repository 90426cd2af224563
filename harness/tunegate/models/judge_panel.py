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
    """Judges, their rubric, and the agreement with people that they need to close a gate."""

    judges: Sequence[Judge]
    rubric: Path
    labels: Path | None = None  # the file of human labels
    repetitions: int = 1  # how often each judge is asked
    # The least values that a calibration needs.
    kappa: float = 0.6
    swap_consistency: float = 0.8  # the share of verdicts that stay when answers change places
    fewest_labels: int = 30
    calibration_dir: Path | None = None  # the folder that keeps the last calibration

    def __repr__(self) -> str:
        """Return a short form: pytest shows it beside every failed comparison."""
        return f"<judges: {', '.join(judge.name for judge in self.judges)}>"
