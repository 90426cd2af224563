"""Answers in prose are closer to the references than the baseline's, by chrF and ROUGE-L.

Good values depend on the task: without a limit they are only shown. These tasks need
`pip install 'tunegate[text]'`.
"""

import pytest

from tunegate import Limits, Predictions
from tunegate_checks.model import compare, overlap

pytestmark = pytest.mark.task("text", "style", "qa", "chat")


def test_closer_than_the_baseline(clean: Predictions, baseline: Predictions) -> None:
    gain = compare.superior(clean, over=baseline, metric=overlap.chrf())
    assert gain


def test_overlap(clean: Predictions, limits: Limits) -> None:
    assert overlap.chrf()(clean) >= limits.chrf
    assert overlap.rouge("L")(clean) >= limits.rouge_l
