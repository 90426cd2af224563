"""Early stopping, and the weights of the best epoch, also after a kill."""

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
    """Keeps what was trained as it was after the epoch with the lowest validation loss.

    The loss and its step stand in the Trainer's own state, which a checkpoint holds; the weights
    stand beside the checkpoints, in `best/STEP`, as long as a checkpoint could go back to them.
    Stops the training after `patience` epochs (0: never) that were no better.
    """

    def __init__(self, model: Any, run: Path, curves: LossCurveCallback, patience: int) -> None:
        self.model, self.run, self.curves, self.patience = model, run, curves, patience

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the validation loss that was just measured."""
        loss, step = self.curves.last["validation_loss"], state.global_step
        if state.best_metric is None or loss < state.best_metric:
            state.best_metric, state.best_global_step = loss, step
            self._save_weights(step)
            return
        epoch = state.max_steps / args.num_train_epochs
        epochs_since_best = round((step - state.best_global_step) / epoch)
        control.should_training_stop = 0 < self.patience <= epochs_since_best

    def _save_weights(self, step: int) -> None:
        from safetensors.torch import save_file

        weights = {
            n: process_group.full_tensor(p).contiguous() for n, p in _trained_parameters(self.model)
        }
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
        """Put the weights of a step back into the model."""
        from safetensors.torch import load_file

        process_group.barrier()  # the first process wrote them
        saved_weights = load_file(_weights_folder(self.run, step) / _WEIGHTS)
        with torch.no_grad():
            for name, weight in _trained_parameters(self.model):
                weight.copy_(process_group.shard_like(saved_weights[name], weight))


def is_restorable(run: Path, checkpoint: Path) -> bool:
    """Whether the weights that a checkpoint could end with are still there, and whole."""
    step = _best_step_of(checkpoint)
    return not step or checkpoints.is_whole(_weights_folder(run, step))


def _trained_parameters(model: Any) -> list[tuple[str, Any]]:
    return [(n, p) for n, p in model.named_parameters() if p.requires_grad]


def _weights_folder(run: Path, step: int) -> Path:
    return run / "best" / str(step)


def _best_step_of(checkpoint: Path) -> int:
    """Return the best step when a checkpoint was made; 0 where there was none, or it is broken."""
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_bytes())
        return int(state["best_global_step"] or 0)
    except (OSError, ValueError, KeyError):
        return 0
