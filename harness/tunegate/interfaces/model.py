"""The interface of a model: requests, answers, and the budget that bounds what they cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol, runtime_checkable

from ..errors import ConfigError
from ..utils.text import counted


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model: the messages before the reply, with all their fields, and tools."""

    row: int  # the number of the example
    messages: Sequence[Mapping[str, Any]]
    repetition: int = 0  # another one where the same question is asked again on purpose
    tools: Sequence[Mapping[str, Any]] = ()  # as OpenAI's chat completions have them, and calls
    group: str = ""  # of the row: examples in a prompt must be of another


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, or the reason why there is none (`error`); latency in seconds, cost in USD."""

    row: int
    text: str = ""
    latency: float = 0.0
    tokens: int = 0  # those of the answer
    cost: float = 0.0
    error: str = ""
    prompt_tokens: int = 0  # those of the question
    finish: str = ""  # "stop", "length" where it was cut off, "" where that is not known
    # Each has a `name` and its `arguments`, a JSON value, or their text where it is no JSON.
    # OpenAI's form is read too.
    tool_calls: Sequence[Mapping[str, Any]] = ()
    reasoning: str = ""  # never scored
    # What a server says made the answer, such as its model and fingerprint: cached answers of
    # another are asked again.
    served_by: str = ""
    asked_at: float = field(default=0.0, compare=False)  # since 1970; set by the cache


@runtime_checkable
class Model(Protocol):
    """Something that answers requests, at temperature 0 unless its `temperature` is another."""

    name: str
    digest: str  # of weights, template and decoding: with the same digest, the same answers

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer when it is there, in any order; may batch or ask concurrently."""


class ModelUnknown(ConfigError):
    """A model spec names nothing, or a server does not answer; the message says what to do."""


@dataclass
class Budget:
    """How many requests a session may send, and how much they may cost; None for no bound.

    The bound is hard: a request is sent only after the most that it can cost has been reserved,
    beside the reservations of the requests under way. Candidate, baseline and judge share one
    budget. Answers from the cache cost nothing. Costs are in USD.
    """

    requests: int | None = None
    cost: float | None = None
    sent: int = 0
    spent: float = 0.0
    exceeded: str = ""  # the bound that stopped a request, as the message names it
    _reserved: float = 0.0
    _lock: Lock = field(default_factory=Lock, repr=False)

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
        """Replace the reservation of a request by its cost."""
        with self._lock:
            self._reserved = max(0.0, self._reserved - estimate)
            self.spent += cost

    def mark_exhausted(self) -> str:
        """Note that a request did not fit; return the error of its answer and of all later ones."""
        if not self.exceeded and self.requests is not None and self.sent >= self.requests:
            self.exceeded = f"{counted(self.requests, 'request')} (--max-requests)"
        elif not self.exceeded:
            self.exceeded = f"${self.cost:g} (--max-cost)"
        return f"not asked: the budget of {self.exceeded} is spent"

    def __str__(self) -> str:
        """Return what was spent, as the last lines of a session show; "" where nothing was sent."""
        if not self.sent and not self.exceeded:
            return ""
        text = counted(self.sent, "request")
        if self.requests is not None:
            text = f"{self.sent:,} of {counted(self.requests, 'request')}"
        of_cost = f" of ${self.cost:g}" if self.cost is not None else ""
        has_price = self.spent or of_cost  # of a server without prices nothing is known
        text += f", ${self.spent:.4f}{of_cost}" if has_price else ""
        return f"{text}; that is spent: what came is kept, run again" if self.exceeded else text


@runtime_checkable
class PricedModel(Protocol):
    """The method that a model has beside those of `Model` where its requests cost something."""

    def with_budget(self, budget: Budget) -> Model:
        """Return the model, spending from this budget only; raise ModelUnknown without prices.

        The model calls `budget.reserve` before it sends a request, retries included. A request
        that does not fit becomes an answer with the error `budget.mark_exhausted()`.
        """


@runtime_checkable
class SamplingModel(Protocol):
    """The method that a model has beside those of `Model` where it can answer otherwise."""

    def sampled(self, temperature: float, schema: Mapping[str, Any]) -> Model:
        """Return the model at a temperature, unless it was given one, with another digest.

        Its answers are JSON of the schema where its server can be held to one; {} is none.
        """


def budget_from_options(
    requests: int | None, cost: float | None, asks_models: bool, uses_xdist: bool
) -> Budget:
    """Return the budget of a session; raises ConfigError for a bound that cannot be held."""
    for option, bound in (("--max-requests", requests), ("--max-cost", cost)):
        if bound is None:
            continue
        if not 0 <= bound < float("inf"):
            raise ConfigError(f"{option} {bound}: the bound must be a number from 0 on")
        if not asks_models:
            raise ConfigError(f"{option} bounds what a model suite asks: it needs --model")
        if uses_xdist:
            raise ConfigError(f"{option} with -n: a budget is spent by one process; leave -n out")
    return Budget(requests, cost)


def hold_to_budget(budget: Budget, model: Model) -> Model:
    """Return the model, held to the budget if it costs something; ModelUnknown without prices."""
    return model.with_budget(budget) if isinstance(model, PricedModel) else model
