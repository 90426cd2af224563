"""Waits for a fine-tuning job, shows its events and losses, and fetches what it leaves."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.utils.atomic import atomic_write
from tunegate.utils.progress import ProgressBar

from .client import attempts, readable_errors
from .settings import Settings

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob


class JobProgress(ProgressBar):
    """Shows how a job goes: a line for each message, and a bar with its steps and losses."""

    def print_line(self, text: str) -> None:
        """Print a line above the bar, with a label before it."""
        super().print_line(f"openai    {text}")

    def show_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Show step, steps in all and losses, as a metrics event has them."""
        loss, held_out = metrics.get("train_loss"), metrics.get("valid_loss")
        losses = [f"loss {loss:.4f}"] if isinstance(loss, int | float) else []
        losses += [f"validation {held_out:.4f}"] if isinstance(held_out, int | float) else []
        self.update(metrics.get("step") or 0, metrics.get("total_steps"), ", ".join(losses))


MIN_POLL_SECONDS = 2.0  # between two polls while new events come
MAX_FAILED_POLLS = 30  # in a row, before waiting ends with an error; the job goes on


@dataclass
class JobWatcher:
    """Polls one job until it ends; tests give their own `sleep`."""

    client: OpenAI
    settings: Settings
    job: FineTuningJob
    folder: Path
    progress: JobProgress
    row_of_line: Callable[[str], str]  # from a line that a message names to a row of the data
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.pause = self._min_pause = min(MIN_POLL_SECONDS, self.settings.longest_poll)
        self.last_status, self.seen_events = "", set[str]()

    def until_done(self) -> FineTuningJob:
        """Return the job when it has succeeded, else raise; Ctrl-C leaves it as it is."""
        try:
            while not self._is_done():
                self.sleep(self.pause)
                self._poll()
        except KeyboardInterrupt:
            self.progress.print_line(
                f"detached: job {self.job.id} goes on at the provider. The same command or "
                f"`tunegate run resume {self.folder.name}` takes it up again; "
                f"`tunegate run job {self.folder.name} --cancel` ends it"
            )
            raise
        return self.job

    def _is_done(self) -> bool:
        """Return whether the job has succeeded, printing a new status; raise where it failed."""
        status = str(self.job.status)  # any word: some providers have statuses of their own
        if status != self.last_status:
            self.last_status, self.pause = status, self._min_pause
            self.progress.print_line(f"job {self.job.id}: {status}")
        if status in ("failed", "cancelled"):
            error, reason = self.job.error, ""
            if error and error.code:  # a healthy job may carry an empty error without a code
                reason = f": {error.message} ({error.code}){self.row_of_line(error.message)}"
            again = f"tunegate run job {self.folder.name} --forget, then the same command"
            raise TrainingFailed(
                f"job {self.job.id} {status}{reason}; to ask for another one: {again}"
            )
        return status == "succeeded"

    def _poll(self) -> None:
        """Fetch the job and its events; pause longer while nothing new comes."""
        action, longest = f"looking at job {self.job.id}", self.settings.longest_poll
        new_events = 0
        try:
            with readable_errors(self.settings, action):
                for attempt in attempts(MAX_FAILED_POLLS, self._min_pause, longest):
                    with attempt:
                        self.job = self.client.fine_tuning.jobs.retrieve(self.job.id)
                        new_events = self._show_events()
        except TrainingFailed as error:
            raise TrainingFailed(f"{error}. The job goes on; the same command waits on") from None
        self.pause = self._min_pause if new_events else min(self.pause * 1.5, longest)

    def _show_events(self) -> int:
        """Show the new events, the oldest first; return their number."""
        listed = self.client.fine_tuning.jobs.list_events(self.job.id, limit=100)
        # The newest come first.
        new_events = [*takewhile(lambda event: event.id not in self.seen_events, listed)]
        for event in reversed(new_events):
            self.seen_events.add(event.id)
            if event.type == "metrics" and isinstance(event.data, dict):
                self.progress.show_metrics(event.data)
            else:
                self.progress.print_line(event.message)
        return len(new_events)


# A column of the result files, and its name in a run's curves; the last one present wins.
CURVE_NAMES = {
    "train_loss": "train_loss",
    "valid_loss": "validation_loss",
    "full_valid_loss": "validation_loss",
}


def fetch_results(client: OpenAI, job: FineTuningJob, folder: Path) -> None:
    """Write the job's result files to `results/`, and its losses to `curves.jsonl`."""
    points: list[dict[str, Any]] = []
    for file in job.result_files or []:
        data = client.files.content(file).content
        # OpenAI wraps a result file in base64; other providers send it as it is.
        with suppress(binascii.Error):
            data = base64.b64decode(data, validate=True)
        atomic_write(folder / "results" / f"{file}.csv", data, mode=0o600)
        for row in csv.DictReader(io.StringIO(data.decode("utf-8", "replace"))):
            losses = {new: float(row[old]) for old, new in CURVE_NAMES.items() if row.get(old)}
            if losses and str(row.get("step", "")).isdigit():
                points.append({"step": int(row["step"]), **losses})
    if points:
        text = "".join(json.dumps(point) + "\n" for point in points)
        atomic_write(folder / "curves.jsonl", text.encode(), mode=0o600)


def checkpoint_models(client: OpenAI, job: FineTuningJob) -> Mapping[str, str]:
    """Return the models of the job's checkpoints by name: `step-90`; none where none are kept."""
    from openai import APIStatusError

    try:
        listed = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    except APIStatusError:  # a provider without them
        return {}
    models = {f"step-{c.step_number}": c.fine_tuned_model_checkpoint for c in listed}
    return {name: model for name, model in models.items() if model}
