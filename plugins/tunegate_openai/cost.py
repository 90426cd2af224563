"""What a job will cost: tokens, counted or estimated, times epochs, times the provider's price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tunegate import Dataset, Example
from tunegate.preferences import counterpart

from .config import Settings

# Where the epochs are left to the provider: OpenAI's own estimate in its cookbook aims at 3.
AUTO_EPOCHS = 3
PER_MESSAGE = 4  # tokens around each message: role and separators
LETTERS_PER_TOKEN = 3.5  # OpenAI says 4 in English; Portuguese has fewer letters to a token


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of one epoch, epochs, and USD (None where no price is configured)."""

    tokens: int
    epochs: int
    usd: float | None
    counted: bool  # False: estimated from the number of letters

    def __str__(self) -> str:
        about = "" if self.counted else "about "
        price = "no price is configured" if self.usd is None else f"about ${self.usd:,.2f}"
        return f"{about}{self.tokens:,} tokens an epoch, {self.epochs} epochs: {price}"


def estimate(train: Dataset, settings: Settings) -> Estimate:
    """Estimate the job on this dataset; nothing is asked of anybody."""
    count, counted = counter(settings.base)
    both = settings.method == "dpo"  # its loss reads the prompt with each of the two replies
    read = [e for example in train for e in (example, *([_other(example)] if both else []))]
    tokens = sum(PER_MESSAGE * len(e.messages) + count(f"{e.system}\n{e.text}") for e in read)
    epochs = AUTO_EPOCHS if settings.epochs == "auto" else settings.epochs
    price = settings.price_per_million
    usd = None if price is None else tokens * epochs * price / 1e6
    return Estimate(tokens, epochs, usd, counted)


def _other(example: Example) -> Example:
    return replace(example, fields={**example.fields, "messages": counterpart(example)})


def counter(model: str) -> tuple[Callable[[str], int], bool]:
    """Return a function that counts tokens, and whether it counts or estimates."""
    return lambda text: round(len(text) / LETTERS_PER_TOKEN), False
