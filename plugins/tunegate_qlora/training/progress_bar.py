"""What is seen of a training: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback

from ..runtime import process_group
from ..runtime.console import print_line
from .loss_curves import LossCurveCallback

MIN_SECONDS = 2.0  # seconds: a training that is over sooner shows its last line only


class ProgressCallback(TrainerCallback):
    """Steps, loss, tokens a second and time left, from two seconds on."""

    def __init__(self, curves: LossCurveCallback, tokens: int) -> None:
        self.console, self.curves, self.tokens = Console(stderr=True), curves, tokens
        self.started, self.first_step = time.monotonic(), 0
        self.progress: Progress | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock; a resumed training has done some steps already."""
        self.started, self.first_step = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        shows_bar = self.console.is_terminal and process_group.is_main()
        if self.progress is None and shows_bar and self.seconds > MIN_SECONDS:
            self.progress = _make_progress(self.console)
            self.progress.add_task(
                "training", total=state.max_steps, completed=self.first_step, told=""
            )
            self.progress.start()
        if self.progress is not None:
            details = f"{losses_text(self.curves.last)}  {self._token_rate(state)}"
            self.progress.update(
                self.progress.task_ids[0], completed=state.global_step, told=details
            )

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Say how an epoch went, where no bar does and there was time to wonder."""
        if self.progress is None and self.seconds > MIN_SECONDS:
            epochs = f"epoch {round(state.epoch)}/{args.num_train_epochs:g}"
            print_line(f"{epochs}  {losses_text(self.curves.last)}  {self._token_rate(state)}")

    def close(self) -> None:
        """Take the bar off the screen, whether the training ended well or not."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None

    @property
    def seconds(self) -> float:
        """Seconds since the training began, or went on."""
        return time.monotonic() - self.started

    def _token_rate(self, state: Any) -> str:
        # Tokens are counted as the mean a step: batches of like length come in random order.
        done = (state.global_step - self.first_step) * self.tokens / max(state.max_steps, 1)
        return f"{done / max(self.seconds, 1e-9):,.0f} tokens/s"


def losses_text(last: dict[str, float]) -> str:
    """Return the last losses as text."""
    text = f"loss {last.get('train_loss', float('nan')):.3f}"
    if "validation_loss" in last:
        text += f", validation {last['validation_loss']:.3f}"
    return text


def _make_progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        refresh_per_second=4,
    )
