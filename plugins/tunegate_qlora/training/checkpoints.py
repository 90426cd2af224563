"""Save checkpoints by the clock, keep the weights of the best epoch, and find where to go on.

Both are sealed with the digests of their files: a training resumes from nothing that is not whole.
"""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from tunegate.utils.atomic import atomic_write

from ..model import folders
from ..model.weights import trained_parameters
from ..runtime import process_group
from .progress import LossCurveCallback

_SEAL_FILE, _WEIGHTS = "sealed.json", "weights.safetensors"


class TimedCheckpointCallback(TrainerCallback):
    """Saves and seals a checkpoint every so many seconds; a shorter training saves none."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.last_saved = seconds, time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint when it is due; at the end of an epoch only after validation."""
        is_ending = state.epoch == int(state.epoch)
        control.should_save = not is_ending and self._is_due()

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
        trained = trained_parameters(self.model)
        weights = {name: process_group.full_tensor(p).contiguous() for name, p in trained}
        if not process_group.is_main():
            return
        folder = _weights_folder(self.run, step)
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed
        folder.mkdir(parents=True)
        save_file(weights, folder / _WEIGHTS)
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
            for name, weight in trained_parameters(self.model):
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
    """Return the newest checkpoint that a run can go on from, and remove newer ones.

    It is whole, and so are the best weights that it refers to: with `keep = "best"` the training
    may have to end with weights that were saved before it.
    """
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
