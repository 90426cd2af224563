"""Waiting for a job: its state and losses as they come, honest pauses, no end but its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunegate.protocols import TrainingFailed

from .client import asked_to_wait, plainly
from .config import Settings
from .progress import Progress

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

SHORTEST = 2.0  # seconds between two looks while something happens
PATIENCE = 30  # looks in a row that may fail before we give up looking; the job goes on


@dataclass
class Watch:
    """Follows one job; sleep can be put in place of the real one."""

    client: OpenAI
    settings: Settings
    job: FineTuningJob
    folder: Path
    progress: Progress
    where: Callable[[str], str] = lambda _: ""  # from a line of the upload to one of ours
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.pause, self.failures = self._shortest, 0
        self.seen: set[str] = set()
        self.state = ""

    @property
    def _shortest(self) -> float:
        return min(SHORTEST, self.settings.longest_poll)

    def until_done(self) -> FineTuningJob:
        """Return the job when it has succeeded; raises TrainingFailed when it has not.

        Ctrl-C leaves the job as it is and says how to come back to it.
        """
        try:
            while not self._done():
                self.sleep(self.pause)
                self._look()
        except KeyboardInterrupt:
            self.progress.say(
                f"detached: job {self.job.id} goes on at the provider. The same command or "
                f"`tunegate resume {self.folder.name}` takes it up again; "
                f"`tunegate cancel {self.folder.name}` ends it"
            )
            raise
        return self.job

    def _done(self) -> bool:
        status = str(self.job.status)  # any word: providers have states of their own
        if status != self.state:
            self.state, self.pause = status, self._shortest
            self.progress.say(f"job {self.job.id}: {status}")
        if status in ("failed", "cancelled"):
            raise TrainingFailed(self._ended(status))
        return status == "succeeded"

    def _ended(self, status: str) -> str:
        error = self.job.error
        # A healthy job may carry an empty error: only a code makes it one.
        why = f": {error.message} ({error.code})" if error and error.code else ""
        why += self.where(error.message) if error and error.code else ""
        again = f"to ask for another one: tunegate job {self.folder.name} --forget"
        return f"job {self.job.id} {status}{why}; {again}, then the same command"

    def _look(self) -> None:
        from openai import APIConnectionError, InternalServerError, RateLimitError

        try:
            with plainly(self.settings, f"looking at job {self.job.id}"):
                try:
                    self.job = self.client.fine_tuning.jobs.retrieve(self.job.id)
                    news = self._events()
                except (APIConnectionError, InternalServerError, RateLimitError) as error:
                    self.failures += 1
                    longer = min(max(self.pause, 0.1) * 2, self.settings.longest_poll)
                    self.pause = max(longer, asked_to_wait(error))
                    if self.failures >= PATIENCE:
                        raise
                    return
        except TrainingFailed as error:
            raise TrainingFailed(f"{error}. The job goes on; the same command waits on") from None
        self.failures = 0
        self.pause = self._shortest if news else min(self.pause * 1.5, self.settings.longest_poll)

    def _events(self) -> int:
        """Show what is new, the oldest first; returns how many there were."""
        new = []
        for event in self.client.fine_tuning.jobs.list_events(self.job.id, limit=100):
            if event.id in self.seen:
                break  # the newest come first
            new.append(event)
        for event in reversed(new):
            self.seen.add(event.id)
            if event.type == "metrics" and isinstance(event.data, dict):
                self.progress.move(event.data)
            else:
                self.progress.say(event.message)
        return len(new)
