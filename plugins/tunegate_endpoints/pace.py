"""How many requests may be in flight: more while answers come, half when the server pushes back."""

from __future__ import annotations

import asyncio
from collections import deque

from .clock import Clock

FIRST = 20  # requests in flight at the start, where so many may be


class Pace:
    """A window that bounds the requests in flight.

    It doubles each round trip until the server first pushes back; from then on it grows by one a
    round trip and halves at each push, at most once for the requests that were in flight together.
    Source: TCP's congestion control, RFC 5681, section 3.1, after D.-M. Chiu and R. Jain (1989),
    Computer Networks and ISDN Systems 17:1-14.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self.most, self.clock = most, clock
        self.window = float(min(FIRST, most))
        self.busy = self.round = 0
        self.rising = True
        self.until = 0.0  # nothing leaves before: the server said so
        self._queue: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Wait for room and for the end of a pause; returns the round, to be given back."""
        while True:
            if (pause := self.until - self.clock.now()) > 0:
                await self.clock.sleep(pause)
            elif self.busy < int(self.window):
                self.busy += 1
                return self.round
            else:
                room = asyncio.get_running_loop().create_future()
                self._queue.append(room)
                await room

    def leave(self, entered: int, *, pushed: bool = False, good: bool = False) -> None:
        """Give the place back, and say how it went."""
        self.busy -= 1
        if pushed and entered == self.round:
            self.round += 1
            self.window, self.rising = max(1.0, self.window / 2), False
        elif good:
            grown = self.window + (1.0 if self.rising else 1.0 / self.window)
            self.window = min(float(self.most), grown)
        self._wake()

    def pause(self, seconds: float) -> None:
        """Let nothing leave for so long."""
        self.until = max(self.until, self.clock.now() + seconds)

    def _wake(self) -> None:
        for _ in range(min(len(self._queue), int(self.window) - self.busy)):
            room = self._queue.popleft()
            if not room.done():  # cancelled
                room.set_result(None)
