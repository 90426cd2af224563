"""For replies in prose: they are closer to the references than the baseline's (chrF, ROUGE-L)."""

import pytest

from tunegate import Limits, Predictions
from tunegate_checks.model import compare, overlap  # pip install 'tunegate[text]'

pytestmark = pytest.mark.task("text", "style", "qa", "chat")


def test_closer_than_the_baseline(clean: Predictions, baseline: Predictions | None) -> None:
    if baseline is not None:
        assert compare.superior(clean, over=baseline, metric=overlap.chrf())


def test_overlap(clean: Predictions, limits: Limits) -> None:
    """Good values depend on the task: without a limit they are only shown."""
    assert overlap.chrf()(clean) >= limits.chrf
    assert overlap.rouge("L")(clean) >= limits.rouge_l
