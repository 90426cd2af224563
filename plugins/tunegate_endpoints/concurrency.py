"""Adapts the number of requests in flight to what the server bears (AIMD)."""

import asyncio
from collections import deque

from .retry import Clock

INITIAL_IN_FLIGHT = 20  # requests in flight at the start, where so many may be


class AdaptiveLimit:
    """A congestion window: a bound on the requests in flight.

    It doubles each round trip until the server first reports overload; from then on it grows by
    one a round trip and halves at each overload, once for requests that were in flight together.
    Source: TCP's congestion control, RFC 5681, section 3.1, after D.-M. Chiu and R. Jain (1989),
    Computer Networks and ISDN Systems 17:1-14.
    """

    def __init__(self, max_in_flight: int, clock: Clock) -> None:
        self.max_in_flight, self.clock = max_in_flight, clock
        self.window = float(min(INITIAL_IN_FLIGHT, max_in_flight))
        self.in_flight = self.round = 0
        self.is_doubling = True
        self.paused_until = 0.0  # `Clock.now` before which no request starts
        self._queue: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Wait for room and for the end of a pause; return the round, which `leave` wants."""
        while True:
            if (pause := self.paused_until - self.clock.now()) > 0:
                await self.clock.sleep(pause)
            elif self.in_flight < int(self.window):
                self.in_flight += 1
                return self.round
            else:
                slot = asyncio.get_running_loop().create_future()
                self._queue.append(slot)
                await slot

    def leave(self, round_entered: int, *, overloaded: bool = False, good: bool = False) -> None:
        """Free the place of a request; `overloaded` shrinks the window, `good` lets it grow."""
        self.in_flight -= 1
        if overloaded and round_entered == self.round:
            self.round += 1
            self.window, self.is_doubling = max(1.0, self.window / 2), False
        elif good:
            grown = self.window + (1.0 if self.is_doubling else 1.0 / self.window)
            self.window = min(float(self.max_in_flight), grown)
        for _ in range(min(len(self._queue), int(self.window) - self.in_flight)):
            slot = self._queue.popleft()
            if not slot.done():  # a cancelled waiter is done
                slot.set_result(None)

    def pause(self, seconds: float) -> None:
        """Let no request start for so many seconds."""
        self.paused_until = max(self.paused_until, self.clock.now() + seconds)
