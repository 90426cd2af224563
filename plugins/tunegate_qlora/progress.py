"""What is seen of a training: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback

from . import ranks
from .curves import Curves

PATIENCE = 2.0  # seconds: a training that is over sooner shows its last line only


class Bar(TrainerCallback):
    """Steps, loss, tokens a second and time left, from two seconds on."""

    def __init__(self, curves: Curves, tokens: int) -> None:
        self.console, self.curves, self.tokens = Console(stderr=True), curves, tokens
        self.started, self.first = time.monotonic(), 0
        self.bar: Progress | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock; a resumed training has done some steps already."""
        self.started, self.first = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        wanted = self.console.is_terminal and ranks.first()
        if self.bar is None and wanted and self.seconds > PATIENCE:
            self.bar = _bar(self.console)
            self.bar.add_task("training", total=state.max_steps, completed=self.first, told="")
            self.bar.start()
        if self.bar is not None:
            told = f"{losses(self.curves.last)}  {self._rate(state)}"
            self.bar.update(self.bar.task_ids[0], completed=state.global_step, told=told)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Say how an epoch went, where no bar does and there was time to wonder."""
        if self.bar is None and self.seconds > PATIENCE:
            epochs = f"epoch {round(state.epoch)}/{args.num_train_epochs:g}"
            say(f"{epochs}  {losses(self.curves.last)}  {self._rate(state)}")

    def close(self) -> None:
        """Take the bar off the screen, whether the training ended well or not."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    @property
    def seconds(self) -> float:
        """Seconds since the training began, or went on."""
        return time.monotonic() - self.started

    def _rate(self, state: Any) -> str:
        # Tokens are counted as the mean a step: batches of like length come in random order.
        done = (state.global_step - self.first) * self.tokens / max(state.max_steps, 1)
        return f"{done / max(self.seconds, 1e-9):,.0f} tokens/s"


def say(what: str, label: str = "") -> None:
    """Print one line, its label as wide as the harness's own; of several processes, one does."""
    if ranks.first():
        print(f"{label:<10}{what}", flush=True)


def losses(last: dict[str, float]) -> str:
    """Return the last losses as text."""
    told = f"loss {last.get('train_loss', float('nan')):.3f}"
    if "validation_loss" in last:
        told += f", validation {last['validation_loss']:.3f}"
    return told


def clock(seconds: float) -> str:
    """Return a time span as text: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _bar(console: Console) -> Progress:
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
