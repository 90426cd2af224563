"""Train the weights of one job: model, objective, loop, best weights, figures, files."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import prepare_data_loader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from tunegate.interfaces.trainer import TrainingFailed

from ..config import Settings
from ..data.batches import Batch, LengthGroupedSampler, pad_with_dummy_batch
from ..data.training_data import EncodedItem, TrainingData, TrainingJob
from ..model import folders, weights
from ..runtime import process_group
from . import callbacks, loss

MAX_READINGS = 200  # points on a loss curve: each costs a synchronisation with the GPU


def learn(
    job: TrainingJob, rows: TrainingData, draft: Path, checkpoint: Path | None
) -> callbacks.Figures:
    """Train the job's model, from a checkpoint on if there is one, and save it into the draft.

    In a distributed training every process calls this with its own copy of the arguments; the main
    process alone prints and writes. Returns the figures of the training, with the losses of the
    model in memory (`loss_in_memory`). Raises TrainingFailed where a loss or weight is no finite
    number, or packed rows are not kept apart.
    """
    settings, folder = job.settings, job.folder
    steps_done = callbacks.step_of(checkpoint)

    # The model: the base, with the weights that `method` trains. They are drawn from the seed.
    model = weights.load_trainable(job.base_folder, settings)
    parameters = weights.count_parameters(model)
    padding = callbacks.print_start(settings, rows, parameters)

    # The objective, made before a checkpoint is loaded, while the model still answers as its base
    # does: DPO takes its reference from it.
    objective = loss.make_objective(model, rows, settings)
    if checkpoint:
        process_group.print_line(f"going on from step {steps_done:,}")

    # The callbacks, in the order in which the Trainer calls them. The curves come first: they
    # measure the validation loss, which the other two read.
    curves = callbacks.LossCurveCallback(
        folder / "curves.jsonl", objective.num_choices,
        objective.validate if rows.validation else None, steps_done, objective.divergence_factor,
    )  # fmt: skip
    display = callbacks.ProgressCallback(curves, rows.tokens * settings.epochs)
    best = None
    if settings.keep == "best" and rows.validation:
        best = callbacks.BestWeightsCallback(model, folder, curves, settings.patience)

    # The loop itself is transformers' Trainer; it restores optimiser, schedule and random numbers
    # from the checkpoint, and so ends with the weights of a training that was never interrupted.
    own = [curves, display, *([best] if best else [])]
    trainer = LengthGroupedTrainer(model, objective, settings, folder / "checkpoints", own)
    with closing(display.bar):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    # The weights that are kept: those of the last step, or of the epoch with the best validation
    # loss. The loop looks at losses only at every so many steps, so the weights are checked here.
    if best and trainer.state.best_global_step not in (None, trainer.state.global_step):
        best.restore(trainer.state.best_global_step)
    trained = weights.trained_parameters(model)
    if not all(bool(torch.isfinite(process_group.full_tensor(w)).all()) for _, w in trained):
        raise TrainingFailed("the trained weights are not numbers: lower `learning_rate`")
    figures = callbacks.print_figures(
        curves, trainer.state, rows, parameters, settings, {**padding, **objective.figures()}
    )

    # The files, and then the loss of the model as they hold it: it is what the model has to have
    # when it is read back from disk.
    metadata = folders.metadata_of(settings, job.base_folder, rows.chat_template)
    weights.save_trained(model, draft, job.base_folder, settings, metadata)
    weights.round_to_saved_dtype(model, job.base_folder, settings)
    return figures | loss.prefix_keys(loss.measure_loss(model, rows, settings), loss.IN_MEMORY)


def seed_and_threads(settings: Settings) -> None:
    """Seed Python, NumPy and PyTorch before anything is drawn; set the CPU threads, if given."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    set_seed(settings.seed)


class LengthGroupedTrainer(Trainer):
    """A Trainer with batches of rows of like length; its other callbacks come after `own`."""

    def __init__(
        self, model: Any, objective: loss.Objective, settings: Settings, folder: Path,
        own: Sequence[TrainerCallback],
    ) -> None:  # fmt: skip
        rows: Sequence[EncodedItem] = objective.train
        shortest = min(rows, key=lambda row: len(row.ids))
        group = process_group.rank(), process_group.world_size()
        self.batches = LengthGroupedSampler(rows, settings.batch, settings.seed, *group)
        steps = -(-len(self.batches) // settings.accumulation) * settings.epochs
        layer_class = weights.decoder_layer_class(weights.unwrap(model))
        super().__init__(
            model=model, args=training_arguments(settings, folder, steps, layer_class),
            train_dataset=rows, compute_loss_func=objective.loss,
            data_collator=pad_with_dummy_batch(objective.collate, shortest),
        )  # fmt: skip
        self.remove_callback(PrinterCallback)
        clock = callbacks.TimedCheckpointCallback(settings.checkpoint_seconds)
        for callback in (*own, EpochSeedCallback(self.batches), clock):
            self.add_callback(callback)

    def get_train_dataloader(self) -> Any:
        loader = torch.utils.data.DataLoader(
            self.train_dataset,  # type: ignore[arg-type]
            batch_sampler=self.batches, collate_fn=self.data_collator,
        )  # fmt: skip
        # The sampler has shared the batches out; accelerate would repeat some rows to do so.
        return prepare_data_loader(loader, self.accelerator.device, 1, 0, put_on_device=True)

    def compute_loss(self, model: Any, inputs: Batch, *args: Any, **kwargs: Any) -> Any:
        """Return a pass's loss; `labels` carry all that DPO reads: the Trainer passes no more."""
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
            "version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "transformer_layer_cls_to_wrap": [layer_class], "reshard_after_forward": True,
            "state_dict_type": "SHARDED_STATE_DICT",  # each process saves its own part
        }  # fmt: skip
        sharding = {"fsdp": True, "fsdp_config": fsdp_config}
    arguments = TrainingArguments(
        output_dir=str(folder), disable_tqdm=True, report_to=settings.report_to or "none",
        num_train_epochs=settings.epochs, per_device_train_batch_size=settings.batch,
        seed=settings.seed, gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate, lr_scheduler_type=settings.schedule,
        warmup_steps=round(settings.warmup * steps), weight_decay=settings.weight_decay,
        optim="adamw_torch" if settings.optimiser == "adamw" else settings.optimiser,
        max_grad_norm=settings.clip, gradient_checkpointing=settings.gradient_checkpointing,
        bf16=gpu and settings.compute == "bfloat16", fp16=gpu and settings.compute == "float16",
        use_cpu=not gpu, dataloader_pin_memory=gpu, remove_unused_columns=False,
        logging_steps=max(1, steps // MAX_READINGS),
        logging_nan_inf_filter=False,  # it would log a plausible number in place of NaN
        save_strategy="no",  # TimedCheckpointCallback asks for checkpoints, by the clock
        save_total_limit=2,  # the older one is kept until the newer one is sealed
        **sharding,
    )  # fmt: skip
    # The batches of processes have different numbers of trained tokens: weigh each token alike.
    arguments.average_tokens_across_devices = arguments.world_size > 1
    if settings.sharding == "fsdp" and not gpu:
        process_group.enable_cpu_fsdp()
    arguments._n_gpu = min(arguments.n_gpu, 1)  # 4-bit weights cannot be split by DataParallel
    return arguments
