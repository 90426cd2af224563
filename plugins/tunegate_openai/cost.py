"""Estimates the cost of a job: tokens of an epoch x epochs x the provider's price."""

from __future__ import annotations

from dataclasses import dataclass

from tunegate import Dataset
from tunegate.data.dataset import preference_sides
from tunegate.tokenization.counters import OpenAITokenCounter

from .settings import Settings

# Where the epochs are left to the provider: OpenAI's own estimate in its cookbook aims at 3.
AUTO_EPOCHS = 3


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """Tokens of one epoch, epochs, and USD (None where no price is configured)."""

    tokens: int
    epochs: int
    usd: float | None
    estimate_reason: str  # why it is an estimate; "" where every token was counted

    def __str__(self) -> str:
        prefix = "about " if self.estimate_reason else ""
        price = "no price is configured" if self.usd is None else f"about ${self.usd:,.2f}"
        return f"{prefix}{self.tokens:,} tokens an epoch, {self.epochs} epochs: {price}"


def estimate_cost(train: Dataset, settings: Settings) -> CostEstimate:
    """Estimate the cost of a job on this dataset, without a request to the provider."""
    count = OpenAITokenCounter(settings.base)
    # The loss of DPO reads the prompt with each of the two replies.
    reads_both_replies = settings.method == "dpo"
    conversations = (
        side
        for example in train
        for side in (preference_sides(example) if reads_both_replies else [example])
    )
    tokens = sum(count(side).length for side in conversations)
    epochs = AUTO_EPOCHS if settings.epochs == "auto" else settings.epochs
    price = settings.price_per_million
    usd = None if price is None else tokens * epochs * price / 1e6
    return CostEstimate(tokens, epochs, usd, count.estimate)
