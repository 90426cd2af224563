"""What a fix is asked to do: its steps, and the settings of their checks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tunegate.config.schema import Limits
from tunegate.data.comparison import label_counts
from tunegate.data.dataset import Dataset

from .changes import STEPS
from .redact import Redactor


@dataclass(frozen=True)
class FixRules:
    """Which steps run, and the settings of their checks."""

    limits: Limits
    redactor: Redactor
    steps: Collection[str] = STEPS
    task: str = ""  # "": classification where the replies are few and repeated
    prompt: str | None = None  # the system prompt at inference

    def are_labels(self, dataset: Dataset) -> bool:
        """Whether the replies are the labels of a classification."""
        is_said = self.task in ("classification", "multilabel")
        return is_said or (not self.task and bool(label_counts(dataset)))
