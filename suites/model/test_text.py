"""For style and qa: answers are closer to the references than the baseline's, by chrF and ROUGE-L.

Needs `pip install 'tunegate[text]'`. Without a limit both are only shown.
"""

import pytest

from tunegate import Limits, Predictions
from tunegate_checks.model import compare, overlap

pytestmark = pytest.mark.task("style", "qa")


def test_closer_than_the_baseline(clean: Predictions, baseline: Predictions) -> None:
    assert compare.superior(clean, over=baseline, metric=overlap.chrf())


def test_overlap(clean: Predictions, limits: Limits) -> None:
    assert overlap.chrf()(clean) >= limits.chrf
    assert overlap.rouge("L")(clean) >= limits.rouge_l
