"""What a request costs: at most, before it is sent; and in the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .settings import Settings
from .trouble import Reply, Trouble

FRAME = 64  # tokens that a chat template puts around a prompt, at most
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per million tokens of prompt and answer, and the longest answer in tokens."""

    prompt: float
    answer: float
    longest: int

    @classmethod
    def of(cls, settings: Settings) -> Prices:
        """Return the prices of an endpoint, 0 where they are not known."""
        return cls(settings.price_in or 0.0, settings.price_out or 0.0, settings.max_tokens)

    def most(self, body: Mapping[str, Any]) -> float:
        """Return what a request can cost at most, in USD.

        A byte-level tokenizer makes no more tokens than there are bytes; the body has them all.
        """
        if not self.prompt and not self.answer:
            return 0.0
        prompt = len(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")) + FRAME
        return (prompt * self.prompt + self.longest * self.answer) / MILLION

    def cost(self, got: Reply | Trouble | None, estimate: float) -> float:
        """Return what it came to: the estimate where nobody told, and where it may be billed."""
        if isinstance(got, Reply) and got.counted:
            return (got.prompt_tokens * self.prompt + got.tokens * self.answer) / MILLION
        return 0.0 if isinstance(got, Trouble) and not got.billed else estimate
