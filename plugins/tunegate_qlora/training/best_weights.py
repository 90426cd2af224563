"""Stop a training early, and keep the weights of its best epoch, also after it was killed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from ..runtime import process_group
from . import checkpoints
from .loss_curves import LossCurveCallback

_WEIGHTS = "weights.safetensors"


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
        trained = _trained_parameters(self.model)
        weights = {name: process_group.full_tensor(p).contiguous() for name, p in trained}
        if not process_group.is_main():
            return
        folder = _weights_folder(self.run, step)
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed
        folder.mkdir(parents=True)
        save_file(weights, folder / _WEIGHTS)
        checkpoints.seal_checkpoint(folder)
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
            for name, weight in _trained_parameters(self.model):
                weight.copy_(process_group.shard_like(saved_weights[name], weight))


def is_restorable(run: Path, checkpoint: Path) -> bool:
    """Whether the best weights that a checkpoint refers to are whole, or it refers to none."""
    step = _best_step_of(checkpoint)
    return not step or checkpoints.is_whole(_weights_folder(run, step))


def _trained_parameters(model: Any) -> list[tuple[str, Any]]:
    return [(n, p) for n, p in model.named_parameters() if p.requires_grad]


def _weights_folder(run: Path, step: int) -> Path:
    return run / "best" / str(step)


def _best_step_of(checkpoint: Path) -> int:
    """Return the best step as of a checkpoint; 0 where it states none, or cannot be read."""
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_bytes())
        return int(state["best_global_step"] or 0)
    except (OSError, ValueError, KeyError):
        return 0
