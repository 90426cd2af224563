"""What happens beside training steps: curves, progress, sealed checkpoints and best weights."""

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.storage.state_dir import read_curves
from tunegate.utils.files import atomic_write
from tunegate.utils.progress import ProgressBar
from tunegate.utils.text import counted

from ..config import FEW_ROWS, Settings, preset_lines
from ..data.batches import computed_tokens
from ..data.training_data import TrainingData
from ..model import folders, weights
from ..runtime import process_group
from ..runtime.process_group import is_main, print_line

MIN_SECONDS = 2.0  # a shorter training shows its last line only
_SEAL_FILE, _WEIGHTS = "sealed.json", "weights.safetensors"
Figures = dict[str, float | int]


class LossCurveCallback(TrainerCallback):
    """Writes `curves.jsonl`: step, epoch, seconds, train_loss and learning_rate or validation_loss.

    Losses are nats per trained token, or per pair (`dpo`); train_loss is the mean since the reading
    before. Validation is measured once an epoch. The main process writes; `last` holds the newest
    value of each key in every process. Readings of an earlier attempt after `steps_done`, those at
    the checkpoint that the training goes on from, are removed from the file.

    Guessing among `num_choices`, the vocabulary's size or 2, has the loss ln(num_choices). Raises
    TrainingFailed where a loss is `divergence_factor` times that, or no finite number.
    """

    def __init__(
        self, path: Path, num_choices: int, validate: Callable[[], float] | None,
        steps_done: int = 0, divergence_factor: float = 2.0,
    ) -> None:  # fmt: skip
        self.path, self.guessing_loss, self.validate = path, math.log(num_choices), validate
        self.limit = divergence_factor * self.guessing_loss
        self.last: dict[str, float] = {}
        earlier_lines = [line for line in read_curves(path) if line["step"] <= steps_done]
        if is_main():  # atomically: a kill right here must not lose the readings
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
        if is_main():
            with open(self.path, "a") as file:
                file.write(json.dumps(line) + "\n")
        if not (math.isfinite(loss) and loss <= self.limit):
            guessing = f"where guessing scores {self.guessing_loss:.3g}"
            reached = f"the {split} loss is {loss:.3g} at step {state.global_step:,}, {guessing}"
            remedy = "Lower `learning_rate`, or lengthen `warmup`"
            raise TrainingFailed(f"{reached}: the training came apart. {remedy}")


def end_curves(run: Path, step: int) -> None:
    """Move the readings after `step`, whose weights were kept, to `curves-beyond.jsonl`, once."""
    path = run / "curves.jsonl"
    lines = read_curves(path)
    if later_lines := [line for line in lines if line["step"] > step]:
        _rewrite_lines(run / "curves-beyond.jsonl", later_lines)
        _rewrite_lines(path, [line for line in lines if line["step"] <= step])


def _rewrite_lines(path: Path, lines: list[dict[str, float]]) -> None:
    atomic_write(path, "".join(json.dumps(line) + "\n" for line in lines).encode())


def print_start(settings: Settings, rows: TrainingData, parameters: tuple[int, int]) -> Figures:
    """Print preset, method, rows, parameters and padding; return the figures of the padding."""
    for label, line in zip(("preset", "", ""), preset_lines(settings), strict=False):
        print_line(line, label)
    dropped_text = f", {rows.dropped_rows:,} too long and set aside" if rows.dropped_rows else ""
    held_out = f", {len(rows.validation):,} held out" if rows.validation else ""
    rows_format = "dpo, {:,} pairs" if settings.objective == "dpo" else "{:,} rows"
    rows_text = rows_format.format(len(rows.train))
    print_line(f"{settings.method}, {rows_text}{held_out}{dropped_text}", "training")
    trained, total = parameters
    print_line(f"{trained:,} of {total:,} parameters trainable ({100 * trained / total:.2f} %)")
    if settings.preset == "few" and len(rows.train) >= FEW_ROWS:
        print_line(f"preset few is meant for fewer than {FEW_ROWS} rows")
    tokens, padding = computed_tokens(rows.train, settings)
    packed = "are packed" if settings.packed else "are padded: packing needs flash attention"
    packed = f": rows {packed}" if settings.packing else ""
    print_line(f"padding {100 * padding:.1f} % of {tokens:,} tokens an epoch{packed}")
    return {"computed_tokens_an_epoch": tokens, "padding": padding}


class ProgressCallback(TrainerCallback):
    """Shows steps, losses, tokens a second (of all `tokens`) and time left, from two seconds on."""

    def __init__(self, curves: LossCurveCallback, tokens: int) -> None:
        self.bar, self.curves, self.tokens = ProgressBar("training"), curves, tokens
        self.started, self.first_step = time.monotonic(), 0
        self.shows_bar = self.bar.console.is_terminal and is_main()

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

    @property
    def seconds(self) -> float:
        """Seconds since this process began to train."""
        return time.monotonic() - self.started

    def _details(self, state: Any) -> str:
        """Return the last losses and the tokens a second; each step counts as the mean of all."""
        done = (state.global_step - self.first_step) * self.tokens / max(state.max_steps, 1)
        return f"{losses_text(self.curves.last)}  {done / max(self.seconds, 1e-9):,.0f} tokens/s"


def losses_text(last: dict[str, float]) -> str:
    """Return the last training loss and, if there is one, validation loss as text."""
    text = f"loss {last.get('train_loss', float('nan')):.3f}"
    if "validation_loss" in last:
        text += f", validation {last['validation_loss']:.3f}"
    return text


def format_duration(seconds: float) -> str:
    """Format a time span: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def print_figures(
    curves: LossCurveCallback, state: Any, rows: TrainingData, parameters: tuple[int, int],
    settings: Settings, more: Mapping[str, float],
) -> Figures:  # fmt: skip
    """Print the losses and epochs of a finished training, and return its figures.

    `validation_loss` is that of the weights that are kept, `kept_epoch` and `kept_step` say when
    they were reached. `state` is the TrainerState. `more` are figures that come after these, those
    of `Objective.figures` among them: of `dpo`, how often the preferred reply is preferred.
    """
    last, epochs = dict(curves.last), round(state.epoch)
    step = state.best_global_step or state.global_step
    kept_epoch = round(step * settings.epochs / state.max_steps)
    if state.best_global_step:
        last["validation_loss"] = state.best_metric
    values: Figures = {k: last[k] for k in ("train_loss", "validation_loss") if k in last}
    values |= {"seconds": round(last["seconds"], 2), "steps": state.global_step, "epochs": epochs}
    values |= {"kept_epoch": kept_epoch, "kept_step": step, "tokens": rows.tokens * epochs}
    trained_tokens = sum(row.trained_tokens for row in rows.train) * epochs
    values |= {"trained_tokens": trained_tokens, "rows": len(rows.train)}
    values |= {"trainable_parameters": parameters[0], "parameters": parameters[1]}
    steps_text = f"{counted(state.global_step, 'step')} in {format_duration(last['seconds'])}"
    print_line(f"{counted(epochs, 'epoch')}, {steps_text}: {losses_text(last)}", "trained")
    if epochs < settings.epochs:
        why = f"the last {settings.patience} were no better"
        print_line(f"stopped after epoch {epochs} of {settings.epochs}: {why}")
    if kept_epoch < epochs:
        print_line(f"kept epoch {kept_epoch}, the one with the best validation loss")
    if "reward_accuracy" in more:
        share, margin = 100 * more["reward_accuracy"], more["reward_margin"]
        n = len(rows.validation)
        print_line(f"preferred {share:.1f} % of {n:,} held-out pairs, reward margin {margin:.3g}")
    return {**values, **more}


def print_proof(figures: Figures, rows: int) -> None:
    """Print the losses that `verify_saved` has compared; of pairs, those of both replies."""
    disk, base = figures["loss_from_disk"], figures["loss_of_base"]
    proof = f"from disk as in memory; base {base:.3f}"
    if "rejected_loss_of_base" not in figures:
        print_line(f"loss {disk:.3f} on {rows:,} rows, {proof}", "proof")
        return
    both = f"{disk:.3f} of preferred, {figures['rejected_loss_from_disk']:.3f} of rejected replies"
    print_line(f"loss {both}, {rows:,} pairs,", "proof")
    print_line(f"{proof} and {figures['rejected_loss_of_base']:.3f}")


class TimedCheckpointCallback(TrainerCallback):
    """Saves and seals a checkpoint every so many seconds; a shorter training saves none."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.last_saved = seconds, time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint when it is due; at the end of an epoch only after validation."""
        control.should_save = state.epoch != int(state.epoch) and self._is_due()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint when it is due, but not after the last epoch."""
        is_ending = control.should_training_stop or state.global_step >= state.max_steps
        control.should_save = not is_ending and self._is_due()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seal the checkpoint when every process has written its part."""
        process_group.barrier()
        if process_group.is_main():
            seal_checkpoint(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        self.last_saved = time.monotonic()

    def _is_due(self) -> bool:
        return bool(process_group.broadcast(time.monotonic() - self.last_saved >= self.seconds))


class BestWeightsCallback(TrainerCallback):
    """Saves the trained weights after each epoch whose validation loss is the lowest so far.

    The loss and its step are kept in the Trainer's own state, which every checkpoint holds. The
    weights are kept beside the checkpoints, in `best/STEP`, as long as a checkpoint refers to them.
    Stops the training after `patience` epochs (0: never) without a lower loss.
    """

    def __init__(self, model: Any, run: Path, curves: LossCurveCallback, patience: int) -> None:
        self.model, self.run, self.curves, self.patience = model, run, curves, patience

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Compare the validation loss of this epoch with the best; save the weights or stop."""
        loss, step = self.curves.last["validation_loss"], state.global_step
        if state.best_metric is not None and not loss < state.best_metric:
            steps_per_epoch = state.max_steps / args.num_train_epochs
            epochs_since_best = round((step - state.best_global_step) / steps_per_epoch)
            control.should_training_stop = 0 < self.patience <= epochs_since_best
            return
        from safetensors.torch import save_file

        state.best_metric, state.best_global_step = loss, step
        trained = weights.trained_parameters(self.model)
        kept = {name: process_group.full_tensor(p).contiguous() for name, p in trained}
        if not process_group.is_main():
            return
        folder = _weights_folder(self.run, step)
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed
        folder.mkdir(parents=True)
        save_file(kept, folder / _WEIGHTS)
        seal_checkpoint(folder)
        needed_steps = {step, *map(_best_step_of, (self.run / "checkpoints").glob("checkpoint-*"))}
        for older in folder.parent.iterdir():
            if int(older.name) not in needed_steps:
                shutil.rmtree(older)

    def restore(self, step: int) -> None:
        """Copy the weights that were saved at a step back into the model, in every process."""
        from safetensors.torch import load_file

        process_group.barrier()  # the main process wrote the file
        saved_weights = load_file(_weights_folder(self.run, step) / _WEIGHTS)
        with torch.no_grad():
            for name, weight in weights.trained_parameters(self.model):
                weight.copy_(process_group.shard_like(saved_weights[name], weight))


def seal_checkpoint(checkpoint: Path) -> None:
    """Write the digests of a checkpoint's files into it; every file reaches the disk before."""
    files = [p for p in checkpoint.rglob("*") if p.is_file() and p.name != _SEAL_FILE]
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    text = json.dumps(folders.file_digests(files, checkpoint), indent=1)
    atomic_write(checkpoint / _SEAL_FILE, text.encode())


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint was sealed, and every file is still what it was then."""
    try:
        sealed = json.loads((checkpoint / _SEAL_FILE).read_bytes())
        files = [checkpoint / name for name in sealed or ()]
        return bool(sealed) and sealed == folders.file_digests(files, checkpoint)
    except (OSError, ValueError):
        return False


def newest_whole(run: Path) -> Path | None:
    """Return the newest checkpoint that is whole, as are its best weights; remove newer ones."""
    found = (run / "checkpoints").glob("checkpoint-*")
    numbered = (path for path in found if path.name.rpartition("-")[2].isdigit())
    for checkpoint in sorted(numbered, key=step_of, reverse=True):
        best = _best_step_of(checkpoint)
        if is_whole(checkpoint) and (not best or is_whole(_weights_folder(run, best))):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def step_of(checkpoint: Path | None) -> int:
    """Return the number of optimiser steps done at a checkpoint; 0 for None."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def _weights_folder(run: Path, step: int) -> Path:
    return run / "best" / str(step)


def _best_step_of(checkpoint: Path) -> int:
    """Return the best step as of a checkpoint; 0 where it states none, or cannot be read."""
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_bytes())
        return int(state["best_global_step"] or 0)
    except (OSError, ValueError, KeyError):
        return 0
