"""Write the loss curves, one line of JSON a reading, and stop a training that diverges."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.storage.state_dir import read_curves
from tunegate.utils.atomic import atomic_write

from ..runtime import process_group


class LossCurveCallback(TrainerCallback):
    """Writes `curves.jsonl`: step, epoch, seconds, train_loss and learning_rate or validation_loss.

    Losses are nats per trained token, or per pair (`dpo`); train_loss is the mean since the reading
    before. Validation is measured once an epoch. The main process writes; `last` holds the newest
    value of each key in every process. Readings of an earlier attempt after `steps_done`, those at
    the checkpoint that the training goes on from, are removed from the file.

    A model without knowledge guesses among `num_choices`, the vocabulary's size or two replies, and
    has the loss ln(num_choices). Raises TrainingFailed where a loss is `divergence_factor` times
    that, or no finite number.
    """

    def __init__(
        self, path: Path, num_choices: int, validate: Callable[[], float] | None,
        steps_done: int = 0, divergence_factor: float = 2.0,
    ) -> None:  # fmt: skip
        self.path, self.guessing_loss, self.validate = path, math.log(num_choices), validate
        self.limit = divergence_factor * self.guessing_loss
        self.last: dict[str, float] = {}
        earlier_lines = [line for line in read_curves(path) if line["step"] <= steps_done]
        if process_group.is_main():  # atomically: a kill right here must not lose the readings
            _rewrite_lines(path, earlier_lines)
        for line in earlier_lines:
            self.last.update(line)
        self.started = time.monotonic() - self.last.get("seconds", 0.0)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        logs = kwargs["logs"]
        if "loss" in logs:
            reading = {"train_loss": logs["loss"], "learning_rate": logs["learning_rate"]}
            self._add_reading(state, reading, "training", logs["loss"])

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.validate is not None:
            loss = self.validate()
            self._add_reading(state, {"validation_loss": loss}, "validation", loss)

    def _add_reading(self, state: Any, reading: dict[str, float], split: str, loss: float) -> None:
        """Write a reading; raise TrainingFailed where its loss shows that the training diverges."""
        seconds = round(time.monotonic() - self.started, 3)
        position = {"step": state.global_step, "epoch": round(state.epoch, 4), "seconds": seconds}
        line = position | reading
        self.last.update(line)
        if process_group.is_main():
            with open(self.path, "a") as file:
                file.write(json.dumps(line) + "\n")
        if not (math.isfinite(loss) and loss <= self.limit):
            raise TrainingFailed(
                f"the {split} loss is {loss:.3g} at step {state.global_step:,}, where guessing "
                f"scores {self.guessing_loss:.3g}: the training came apart. Lower "
                "`learning_rate`, or lengthen `warmup`"
            )


def end_curves(run: Path, step: int) -> None:
    """Move the readings after `step`, whose weights were kept, to `curves-beyond.jsonl`, once."""
    path = run / "curves.jsonl"
    lines = read_curves(path)
    if later_lines := [line for line in lines if line["step"] > step]:
        _rewrite_lines(run / "curves-beyond.jsonl", later_lines)
        _rewrite_lines(path, [line for line in lines if line["step"] <= step])


def _rewrite_lines(path: Path, lines: list[dict[str, float]]) -> None:
    atomic_write(path, "".join(json.dumps(line) + "\n" for line in lines).encode())
