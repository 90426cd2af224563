"""Many requests, each tried until there is an answer or no hope: within the pace and the budget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from tunegate.interfaces.model import Answer, Budget, ModelUnknown, Request

from . import retry
from .concurrency import AdaptiveLimit
from .http import Connection
from .prices import Prices
from .providers import Provider
from .result import Failure, Reply, one_line
from .retry import Clock
from .settings import Settings

MAX_FAILED_IN_A_ROW = (
    20  # answers that failed one after another, none between them: the server is gone
)


@dataclass
class Dispatcher:
    """One call of `answers`: what its requests share."""

    connection: Connection
    provider: Provider
    settings: Settings
    key: str
    budget: Budget
    clock: Clock
    emit: Callable[[Answer], None]

    def __post_init__(self) -> None:
        self.limit = AdaptiveLimit(self.settings.connections, self.clock)
        self.prices = Prices.from_settings(self.settings)
        self.stop_reason = ""  # why no further request is sent
        self.failed_in_a_row = 0  # answers given up since the last one that came
        self.server_answered = self.got_answer = False
        self.in_flight = 0
        self.settled = asyncio.Event()

    async def run(self, requests: Sequence[Request]) -> None:
        """Emit an answer to each request; raise ModelUnknown where none would fare better."""
        queue = iter(requests)
        workers = min(len(requests), self.settings.connections)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._answer_queue(queue))
        except BaseExceptionGroup as stopped:  # the first stopped the others
            raise stopped.exceptions[0] from None

    async def _answer_queue(self, queue: Iterator[Request]) -> None:
        for request in queue:
            self.emit(await self._answer(request))

    async def _answer(self, request: Request) -> Answer:
        try:
            body = self.provider.body(self.settings, request.messages)
        except ValueError as error:
            return Answer(request.row, error=str(error))
        for tries in count(1):
            result = await self._send(request, body)
            if isinstance(result, Answer):
                return result
            if not result.retryable or tries >= min(self.settings.tries, result.max_tries):
                return self._give_up(request, result, tries)
            await self._wait(result, tries)
        raise AssertionError("count() never ends")

    async def _send(self, request: Request, body: dict[str, Any]) -> Answer | Failure:
        round_entered, estimate = await self.limit.enter(), self.prices.max_cost(body)
        if not await self._reserve(estimate):
            self.limit.leave(round_entered)
            return Answer(request.row, error=self.stop_reason)
        start, result = self.clock.now(), None
        try:
            result = await self.connection.ask(body)
        finally:  # cancelled in the middle: it may have been billed
            cost = self.prices.cost(result, estimate)
            self._charge(estimate, cost)
            is_overloaded = isinstance(result, Failure) and result.overloaded
            self.limit.leave(
                round_entered, overloaded=is_overloaded, good=isinstance(result, Reply)
            )
        self.server_answered |= isinstance(result, Reply) or result.reached
        if isinstance(result, Reply):
            self.failed_in_a_row, self.got_answer, seconds = 0, True, self.clock.now() - start
            tokens = result.prompt_tokens, result.finish
            return Answer(request.row, result.text, seconds, result.tokens, cost, "", *tokens)
        return result

    async def _reserve(self, estimate: float) -> bool:
        """Set the request aside, waiting for those under way where it may fit after them."""
        while not self.stop_reason:
            if self.budget.reserve(estimate):
                self.in_flight += 1
                return True
            if not self.in_flight:
                self.stop_reason = self.budget.mark_exhausted()
                break
            self.settled.clear()
            await self.settled.wait()
        return False

    def _charge(self, estimate: float, cost: float) -> None:
        self.budget.charge(estimate, cost)
        self.in_flight -= 1
        self.settled.set()

    async def _wait(self, failure: Failure, tries: int) -> None:
        if not failure.retry_after:
            await self.clock.sleep(retry.backoff(tries, self.clock.random()))
        else:  # what it refuses to one it refuses to all
            self.limit.pause(failure.retry_after)

    def _give_up(self, request: Request, failure: Failure, tries: int) -> Answer:
        reason = self._reason_text(failure, tries)
        if failure.fatal or not self.server_answered:
            raise ModelUnknown(f"{self.connection.url.with_query(None)}: {reason}")
        self.failed_in_a_row += (
            failure.retryable or not self.got_answer
        )  # a row that is too long says nothing
        if self.failed_in_a_row >= MAX_FAILED_IN_A_ROW:
            self.stop_reason = (
                f"not asked: {self.failed_in_a_row} answers failed one after another: {reason}"
            )
        return Answer(request.row, error=reason)

    def _reason_text(self, failure: Failure, tries: int) -> str:
        status, colon, server_text = failure.reason.partition(": ")
        if tries > 1 and status.isdigit():
            return one_line(f"{status} after {tries} tries{colon}{server_text}", self.key)
        tries_text = f" ({tries} tries)" if tries > 1 else ""
        return one_line(failure.reason, self.key) + tries_text
