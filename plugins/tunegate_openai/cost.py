"""What a job will cost: tokens, counted or estimated, times epochs, times the provider's price."""

from __future__ import annotations

from dataclasses import dataclass

from tunegate import Dataset
from tunegate.openai_tokens import OpenAI
from tunegate.preferences import replies

from .config import Settings

# Where the epochs are left to the provider: OpenAI's own estimate in its cookbook aims at 3.
AUTO_EPOCHS = 3


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of one epoch, epochs, and USD (None where no price is configured)."""

    tokens: int
    epochs: int
    usd: float | None
    why: str  # it is only an estimate; "" where every token was counted

    def __str__(self) -> str:
        about = "about " if self.why else ""
        price = "no price is configured" if self.usd is None else f"about ${self.usd:,.2f}"
        return f"{about}{self.tokens:,} tokens an epoch, {self.epochs} epochs: {price}"


def estimate(train: Dataset, settings: Settings) -> Estimate:
    """Estimate the job on this dataset, as `tunegate.openai_tokens` counts; nobody is asked."""
    count = OpenAI(settings.base)
    both = settings.method == "dpo"  # its loss reads the prompt with each of the two replies
    read = (side for example in train for side in (replies(example) if both else [example]))
    tokens = sum(count(side).length for side in read)
    epochs = AUTO_EPOCHS if settings.epochs == "auto" else settings.epochs
    price = settings.price_per_million
    usd = None if price is None else tokens * epochs * price / 1e6
    return Estimate(tokens, epochs, usd, count.estimate)
