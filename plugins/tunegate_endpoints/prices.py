"""Computes what a request costs: at most, before it is sent, and in fact, afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .result import Failure, Reply
from .settings import Settings

TEMPLATE_TOKENS = 64  # tokens that a chat template puts around a prompt, at most
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per million tokens of prompt and answer, and the longest answer in tokens."""

    prompt_price: float
    answer_price: float
    max_answer_tokens: int

    @classmethod
    def from_settings(cls, settings: Settings) -> Prices:
        """Return the prices of an endpoint, 0 where they are not known."""
        return cls(settings.price_in or 0.0, settings.price_out or 0.0, settings.max_tokens)

    def max_cost(self, body: Mapping[str, Any]) -> float:
        """Return what a request can cost at most, in USD.

        A byte-level tokenizer makes no more tokens than there are bytes; the body has them all.
        """
        if not self.prompt_price and not self.answer_price:
            return 0.0
        prompt = (
            len(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")) + TEMPLATE_TOKENS
        )
        return (prompt * self.prompt_price + self.max_answer_tokens * self.answer_price) / MILLION

    def cost(self, result: Reply | Failure | None, estimate: float) -> float:
        """Return the cost of a result in USD.

        The estimate where the server sent no token counts, and for a failure that may be billed.
        """
        if isinstance(result, Reply) and result.has_token_counts:
            return (
                result.prompt_tokens * self.prompt_price + result.tokens * self.answer_price
            ) / MILLION
        return 0.0 if isinstance(result, Failure) and not result.billed else estimate
