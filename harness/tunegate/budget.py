"""The budget: how many requests a session may send and what they may cost, held to before each."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from .project import ConfigError
from .protocols import Model, PricedModel


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
