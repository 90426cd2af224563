"""Latency, tokens and cost of the answers when first asked; without a limit only shown."""

from tunegate import Limits, Predictions
from tunegate_checks.model import speed


def test_latency(predictions: Predictions, limits: Limits) -> None:
    """Median and 95th percentile of the seconds until an answer is complete."""
    assert speed.latency(predictions, 0.50) <= limits.latency_p50
    assert speed.latency(predictions, 0.95) <= limits.latency_p95


def test_tokens(predictions: Predictions, limits: Limits) -> None:
    """Tokens of question and answer together: a long prompt is paid for at each request."""
    assert speed.tokens(predictions) <= limits.tokens


def test_cost(predictions: Predictions, limits: Limits) -> None:
    """USD for 1,000 requests."""
    assert speed.cost_per_1000(predictions) <= limits.cost_per_1000


def test_against_baseline(
    predictions: Predictions, baseline: Predictions | None, limits: Limits
) -> None:
    """The candidate's figures divided by the baseline's, whose prompt may be longer."""
    if baseline is not None:
        assert speed.ratio(predictions, over=baseline, what="latency") <= limits.latency_ratio
        assert speed.ratio(predictions, over=baseline, what="tokens") <= limits.tokens_ratio
        assert speed.ratio(predictions, over=baseline, what="cost") <= limits.cost_ratio
