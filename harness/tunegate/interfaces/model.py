"""The budget: how many requests a session may send and what they may cost, held to before each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol, runtime_checkable

from ..errors import ConfigError


@dataclass
class Budget:
    """What a session may still ask for; None stands for no bound.

    It is hard: a request leaves only after what it may cost at most was set aside, beside what was
    set aside for those on their way. Candidate, baseline and judge share one. Answers out of the
    cache cost nothing. `cost` in USD; raises ConfigError for a bound below 0.
    """

    requests: int | None = None
    cost: float | None = None
    sent: int = 0
    spent: float = 0.0
    exceeded: str = ""  # what could not be had any more
    _reserved: float = 0.0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        for option, bound in (("--max-requests", self.requests), ("--max-cost", self.cost)):
            if bound is not None and not 0 <= bound < float("inf"):
                raise ConfigError(f"{option} {bound}: the bound must be a number from 0 on")

    @property
    def is_bounded(self) -> bool:
        """Whether there is a bound at all."""
        return self.requests is not None or self.cost is not None

    def reserve(self, estimate: float) -> bool:
        """Count one request that costs at most `estimate`; False where it does not fit."""
        with self._lock:
            if self.requests is not None and self.sent >= self.requests:
                return False
            if self.cost is not None and self.spent + self._reserved + estimate > self.cost:
                return False
            self.sent += 1
            self._reserved += estimate
            return True

    def charge(self, estimate: float, cost: float) -> None:
        """Replace what was set aside for a request by what it came to."""
        with self._lock:
            self._reserved = max(0.0, self._reserved - estimate)
            self.spent += cost

    def mark_exhausted(self) -> str:
        """Say that a request did not fit and none will: the error of every answer from here on."""
        self.exceeded = self.exceeded or self._exceeded_bound()
        return f"not asked: the budget of {self.exceeded} is spent"

    def _exceeded_bound(self) -> str:
        if self.requests is not None and self.sent >= self.requests:
            return f"{self.requests:,} requests (--max-requests)"
        return f"${self.cost:g} (--max-cost)"

    def __str__(self) -> str:
        """Return how far it got, for the line at a session's end; "" where nothing was sent."""
        requests = f"{self.sent:,}" + (
            f" of {self.requests:,}" if self.requests is not None else ""
        )
        cost = f"${self.spent:.4f}" + (f" of ${self.cost:g}" if self.cost is not None else "")
        text = f"{requests} requests, {cost}" if self.sent or self.exceeded else ""
        return f"{text}; that is spent: what came is kept, run again" if self.exceeded else text


def budget_from_options(
    requests: int | None, cost: float | None, model: str | None, uses_xdist: bool
) -> Budget:
    """Return the budget of a session; raise ConfigError where nothing could hold to it."""
    budget = Budget(requests, cost)
    option = "--max-requests" if requests is not None else "--max-cost"
    if budget.is_bounded and not model:
        raise ConfigError(f"{option} bounds what a model suite asks: it needs --model")
    if budget.is_bounded and uses_xdist:
        raise ConfigError(f"{option} with -n: a budget is spent by one process; leave -n out")
    return budget


def hold_to_budget(budget: Budget, model: Model) -> Model:
    """Return the model held to the budget, where its requests cost something.

    Raises ModelUnknown where the budget bounds the cost and the model's prices are not known.
    """
    return model.with_budget(budget) if isinstance(model, PricedModel) else model


# [merged] What a trainer and a model must look like to be plugged in, and the values they exchange.


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model: the messages before the reply, as role and content.

    The same question asked again on purpose (a judge heard three times) has another `repetition`.
    """

    row: int
    messages: Sequence[Mapping[str, Any]]
    repetition: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, or the reason why there is none (`error`); latency in seconds, cost in USD.

    `tokens` counts the answer's own, `prompt_tokens` the question's; `finish` is "stop" where the
    model ended its turn, "length" where it was cut off, "" where nobody knows.
    """

    row: int
    text: str = ""
    latency: float = 0.0
    tokens: int = 0
    cost: float = 0.0
    error: str = ""
    prompt_tokens: int = 0
    finish: str = ""


@runtime_checkable
class Model(Protocol):
    """Something that answers, at temperature 0."""

    name: str
    digest: str  # of the weights, the template and the decoding: the same digest answers the same

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer as it comes, in any order, batched or concurrent inside."""


@runtime_checkable
class PricedModel(Protocol):
    """What a model has beside `Model` whose requests cost something: it can be held to a budget."""

    def with_budget(self, budget: Budget) -> Model:
        """Return the model, spending from this budget only; raise ModelUnknown without prices.

        Each request is set aside before it is sent, retries too. What does not fit any more is an
        error of its answer: `budget.exhaust()`.
        """


class ModelUnknown(Exception):
    """A model spec that names nothing, or a server that will not answer: what to do, in a line."""
