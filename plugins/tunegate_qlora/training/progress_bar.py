"""Show the progress of a training: a bar on a terminal, elsewhere one line an epoch."""

from __future__ import annotations

import time
from typing import Any

from transformers import TrainerCallback

from tunegate.utils.progress import ProgressBar

from ..runtime import process_group
from ..runtime.console import print_line
from .loss_curves import LossCurveCallback

MIN_SECONDS = 2.0  # a shorter training prints its last line only


class ProgressCallback(TrainerCallback):
    """Shows steps, losses, tokens a second and the time left, from two seconds on.

    `tokens` are those of the whole training.
    """

    def __init__(self, curves: LossCurveCallback, tokens: int) -> None:
        self.bar, self.curves, self.tokens = ProgressBar("training"), curves, tokens
        self.started, self.first_step = time.monotonic(), 0
        self.shows_bar = self.bar.console.is_terminal and process_group.is_main()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock; a resumed training begins with some steps done."""
        self.started, self.first_step = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar; show it first where the training has taken two seconds."""
        if self.shows_bar and self.seconds > MIN_SECONDS:
            self.bar.update(state.global_step, state.max_steps, self._details(state))

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Print the losses of the epoch where there is no bar."""
        if not self.shows_bar and self.seconds > MIN_SECONDS:
            epochs = f"epoch {round(state.epoch)}/{args.num_train_epochs:g}"
            print_line(f"{epochs}  {self._details(state)}")

    def close(self) -> None:
        """Remove the bar from the screen, whether the training succeeded or failed."""
        self.bar.close()

    @property
    def seconds(self) -> float:
        """Seconds since this process began to train."""
        return time.monotonic() - self.started

    def _details(self, state: Any) -> str:
        """Return the last losses and the tokens a second.

        Every step counts as the mean number of tokens: batches of like length come in random order.
        """
        done = (state.global_step - self.first_step) * self.tokens / max(state.max_steps, 1)
        return f"{losses_text(self.curves.last)}  {done / max(self.seconds, 1e-9):,.0f} tokens/s"


def losses_text(last: dict[str, float]) -> str:
    """Return the last training loss and, if there is one, validation loss as text."""
    text = f"loss {last.get('train_loss', float('nan')):.3f}"
    if "validation_loss" in last:
        text += f", validation {last['validation_loss']:.3f}"
    return text
