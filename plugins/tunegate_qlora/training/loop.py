"""The training loop: transformers' Trainer, with batches in an order that can be repeated."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import prepare_data_loader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from ..config import Settings
from ..data.batches import Batch, LengthGroupedSampler, pad_with_dummy_batch
from ..data.training_data import EncodedItem
from ..model import architecture, weights
from ..runtime import process_group
from . import loss
from .checkpoints import TimedCheckpointCallback

MAX_READINGS = 200  # points on a loss curve: each costs a synchronisation with the GPU


class LengthGroupedTrainer(Trainer):
    """A Trainer with batches of rows of like length; its own callbacks come after `callbacks`."""

    def __init__(
        self, model: Any, rows: Sequence[EncodedItem], settings: Settings, folder: Path,
        collate: Callable[[Sequence[Any]], Batch], callbacks: Sequence[TrainerCallback],
        loss_function: Callable[..., torch.Tensor] | None = None,
    ) -> None:  # fmt: skip
        group = process_group.rank(), process_group.world_size()
        self.batches = LengthGroupedSampler(rows, settings.batch, settings.seed, *group)
        steps = -(-len(self.batches) // settings.accumulation) * settings.epochs
        layer_class = architecture.decoder_layer_class(weights.unwrap(model))
        super().__init__(
            model=model,
            args=training_arguments(settings, folder, steps, layer_class),
            train_dataset=rows,
            data_collator=pad_with_dummy_batch(collate, min(rows, key=lambda row: len(row.ids))),
            compute_loss_func=loss_function or loss.loss_per_token,
        )
        self.remove_callback(PrinterCallback)
        own = EpochSeedCallback(self.batches), TimedCheckpointCallback(settings.checkpoint_seconds)
        for callback in (*callbacks, *own):
            self.add_callback(callback)

    def get_train_dataloader(self) -> Any:
        loader = torch.utils.data.DataLoader(
            self.train_dataset,  # type: ignore[arg-type]
            batch_sampler=self.batches, collate_fn=self.data_collator,
        )  # fmt: skip
        # The sampler has shared the batches out; accelerate would repeat some rows to do so.
        return prepare_data_loader(loader, self.accelerator.device, 1, 0, put_on_device=True)

    def compute_loss(self, model: Any, inputs: Batch, *args: Any, **kwargs: Any) -> Any:
        """Return the loss of a pass.

        The Trainer hands `inputs["labels"]` to the loss function and the rest to the model: what
        the loss function of DPO reads is put there. (The Trainer has counted the labels by now.)
        """
        if "targets" in inputs:
            inputs["labels"] = {key: inputs.pop(key) for key in loss.LOSS_KEYS}  # type: ignore[assignment]
        return super().compute_loss(model, inputs, *args, **kwargs)

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: to count them, the Trainer would visit every parameter in each step."""
        return 0


class EpochSeedCallback(TrainerCallback):
    """Sets the epoch of the sampler, which decides its order, also in a resumed training."""

    def __init__(self, batches: LengthGroupedSampler) -> None:
        self.batches = batches

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set the epoch, computed from the step that the checkpoint holds."""
        steps = -(-len(self.batches) // args.gradient_accumulation_steps)
        self.batches.epoch = state.global_step // steps


def training_arguments(
    settings: Settings, folder: Path, steps: int, layer_class: str = ""
) -> TrainingArguments:
    """Return the settings as transformers names them; FSDP wraps the layers of `layer_class`."""
    gpu = torch.cuda.is_available()
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(folder.parent / "tensorboard"))
    sharding: dict[str, Any] = {}
    if settings.sharding == "fsdp":
        fsdp_config = {
            "version": 2,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "transformer_layer_cls_to_wrap": [layer_class],
            "reshard_after_forward": True,
            "state_dict_type": "SHARDED_STATE_DICT",  # each process saves its own part
        }
        sharding = {"fsdp": True, "fsdp_config": fsdp_config}
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=round(settings.warmup * steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        optim="adamw_torch" if settings.optimiser == "adamw" else settings.optimiser,
        bf16=gpu and settings.compute == "bfloat16",
        fp16=gpu and settings.compute == "float16",
        use_cpu=not gpu,
        gradient_checkpointing=settings.gradient_checkpointing,
        seed=settings.seed,
        logging_steps=max(1, steps // MAX_READINGS),
        logging_nan_inf_filter=False,  # it would log a plausible number in place of NaN
        save_strategy="no",  # TimedCheckpointCallback asks for checkpoints, by the clock
        save_total_limit=2,  # the older one is kept until the newer one is sealed
        remove_unused_columns=False,
        dataloader_pin_memory=gpu,
        disable_tqdm=True,
        report_to=settings.report_to or "none",
        **sharding,
    )
    # The batches of processes have different numbers of trained tokens: weigh each token alike.
    arguments.average_tokens_across_devices = arguments.world_size > 1
    if settings.sharding == "fsdp" and not gpu:
        process_group.enable_cpu_fsdp()
    arguments._n_gpu = min(arguments.n_gpu, 1)  # 4-bit weights cannot be split by DataParallel
    return arguments
