"""Many requests, each tried until there is an answer or no hope: within the pace and the budget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from tunegate.budget import Budget
from tunegate.protocols import Answer, ModelUnknown, Request

from . import retry
from .clock import Clock
from .http import Line
from .pace import Pace
from .prices import Prices
from .protocols import Wire
from .settings import Settings
from .trouble import Reply, Trouble, one_line

GIVE_UP = 20  # answers that failed one after another, none between them: the server is gone


@dataclass
class Asking:
    """One call of `answers`: what its requests share."""

    line: Line
    wire: Wire
    settings: Settings
    key: str
    budget: Budget
    clock: Clock
    emit: Callable[[Answer], None]

    def __post_init__(self) -> None:
        self.pace = Pace(self.settings.connections, self.clock)
        self.prices = Prices.of(self.settings)
        self.over = ""  # why no further request is sent
        self.failed = 0  # answers given up since the last one that came
        self.heard = self.answered = False
        self.under_way = 0
        self.settled = asyncio.Event()

    async def run(self, requests: Sequence[Request]) -> None:
        """Emit an answer to each request; raise ModelUnknown where none would fare better."""
        queue = iter(requests)
        workers = min(len(requests), self.settings.connections)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(queue))
        except BaseExceptionGroup as stopped:  # the first stopped the others
            raise stopped.exceptions[0] from None

    async def _work(self, queue: Iterator[Request]) -> None:
        for request in queue:
            self.emit(await self._answer(request))

    async def _answer(self, request: Request) -> Answer:
        try:
            body = self.wire.body(self.settings, request.messages)
        except ValueError as error:
            return Answer(request.row, error=str(error))
        for tries in count(1):
            got = await self._try(request, body)
            if isinstance(got, Answer):
                return got
            if not got.again or tries >= min(self.settings.tries, got.most):
                return self._gave_up(request, got, tries)
            await self._wait(got, tries)
        raise AssertionError("count() never ends")

    async def _try(self, request: Request, body: dict[str, Any]) -> Answer | Trouble:
        entered, estimate = await self.pace.enter(), self.prices.most(body)
        if not await self._afford(estimate):
            self.pace.leave(entered)
            return Answer(request.row, error=self.over)
        start, got = self.clock.now(), None
        try:
            got = await self.line.ask(body)
        finally:  # cancelled in the middle: it may have been billed
            cost = self.prices.cost(got, estimate)
            self._settle(estimate, cost)
            pushed = isinstance(got, Trouble) and got.pushed
            self.pace.leave(entered, pushed=pushed, good=isinstance(got, Reply))
        self.heard |= isinstance(got, Reply) or got.heard
        if isinstance(got, Reply):
            self.failed, self.answered, seconds = 0, True, self.clock.now() - start
            tokens = got.prompt_tokens, got.finish
            return Answer(request.row, got.text, seconds, got.tokens, cost, "", *tokens)
        return got

    async def _afford(self, estimate: float) -> bool:
        """Set the request aside, waiting for those under way where it may fit after them."""
        while not self.over:
            if self.budget.set_aside(estimate):
                self.under_way += 1
                return True
            if not self.under_way:
                self.over = self.budget.exhaust()
                break
            self.settled.clear()
            await self.settled.wait()
        return False

    def _settle(self, estimate: float, cost: float) -> None:
        self.budget.settle(estimate, cost)
        self.under_way -= 1
        self.settled.set()

    async def _wait(self, trouble: Trouble, tries: int) -> None:
        if not trouble.wait:
            await self.clock.sleep(retry.backoff(tries, self.clock.random()))
        else:  # what it refuses to one it refuses to all
            self.pace.pause(trouble.wait)

    def _gave_up(self, request: Request, trouble: Trouble, tries: int) -> Answer:
        why = self._told(trouble, tries)
        if trouble.every or not self.heard:
            raise ModelUnknown(f"{self.line.url.with_query(None)}: {why}")
        self.failed += trouble.again or not self.answered  # a row that is too long says nothing
        if self.failed >= GIVE_UP:
            self.over = f"not asked: {self.failed} answers failed one after another: {why}"
        return Answer(request.row, error=why)

    def _told(self, trouble: Trouble, tries: int) -> str:
        status, colon, said = trouble.why.partition(": ")
        if tries > 1 and status.isdigit():
            return one_line(f"{status} after {tries} tries{colon}{said}", self.key)
        more = f" ({tries} tries)" if tries > 1 else ""
        return one_line(trouble.why, self.key) + more
