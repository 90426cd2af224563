"""Fast and cheap enough to serve: a limit is set where it is known what that means, and every
figure is shown. What is cached counts as when it was first asked.
"""

import pytest

from tunegate import Limits, Predictions
from tunegate_checks.model import speed


def test_latency(predictions: Predictions, limits: Limits) -> None:
    """Seconds until half, and until 95 of 100 answers are there."""
    assert speed.latency(predictions, 0.50) <= limits.latency_p50
    assert speed.latency(predictions, 0.95) <= limits.latency_p95


def test_tokens(predictions: Predictions, limits: Limits) -> None:
    """Of question and answer together: a long prompt is paid for each time."""
    assert speed.tokens(predictions) <= limits.tokens


def test_cost(predictions: Predictions, limits: Limits) -> None:
    """USD for 1,000 requests."""
    assert speed.cost_per_1000(predictions) <= limits.cost_per_1000


@pytest.mark.parametrize("what", ["latency", "tokens", "cost"])
def test_against_the_baseline(
    predictions: Predictions, baseline: Predictions, what: speed.Quantity, limits: Limits
) -> None:
    """As a multiple of the baseline's, its longer prompt included, where it has one."""
    limit: float | None = getattr(limits, f"{what}_ratio")
    assert speed.ratio(predictions, baseline, what) <= limit
