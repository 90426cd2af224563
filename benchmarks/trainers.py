"""The contestants of training.py: each trains a case from end to end, with clocks at its steps."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple
from unittest.mock import patch

from tunegate.interfaces.trainer import Plan
from tunegate_qlora.config import Settings
from tunegate_qlora.runtime.libraries import quiet_libraries

os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
with quiet_libraries():  # bitsandbytes has much to say when it is imported
    import torch
    import transformers

    from tunegate_qlora import pipeline
    from tunegate_qlora.data.batches import LengthGroupedSampler, make_collator
    from tunegate_qlora.data.training_data import TrainingData, conversations_of
    from tunegate_qlora.model import weights
    from tunegate_qlora.training import learn, loss
    from tunegate_qlora.training.learn import LengthGroupedTrainer

WARM = 3  # steps that are not counted
GPU = torch.cuda.is_available()


class Time(NamedTuple):
    """Seconds on the wall and of the CPU."""

    wall: float
    cpu: float

    def since(self, start: Time) -> Time:
        """Return what passed since then."""
        return Time(self.wall - start.wall, self.cpu - start.cpu)


def now() -> Time:
    """Read the clocks."""
    if GPU:
        torch.cuda.synchronize()
    return Time(perf_counter(), process_time())


@dataclass(frozen=True)
class Case:
    """What is trained: a plan on files, and the same as rows."""

    plan: Plan
    settings: Settings
    rows: TrainingData

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return -(-len(self.rows.train) // self.settings.batch) * self.settings.epochs


class Result(transformers.TrainerCallback):
    """What one training cost, read from its steps: those of a Trainer call it back."""

    def __init__(self, case: Case) -> None:
        self.case, self.opened, self.ticks = case, now(), list[Time]()
        self.tokens = self.places = self.memory = 0

    def watch(self, trainer: Any) -> Any:
        """Return the Trainer, its batches counted and its steps timed."""
        trainer.data_collator = self.counting(trainer.data_collator)
        trainer.add_callback(self)
        return trainer

    def counting(self, collate: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return the collator, which now counts tokens, and places for tokens."""

        def counted(rows: Any) -> Any:
            batch = collate(rows)
            self.places += batch["input_ids"].numel()
            mask = batch.get("attention_mask", torch.ones_like(batch["input_ids"]))
            self.tokens += int((mask != 0).sum())
            return batch

        return counted

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Start."""
        if GPU:
            torch.cuda.reset_peak_memory_stats()
        self.tokens = self.places = 0
        self.started = now()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Note a step."""
        self.ticks.append(Time(perf_counter(), process_time()))

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop, and measure the loss; that is no part of the training, nor of its time in all."""
        end, case = now(), self.case
        self.loop = [end.since(self.started)]
        self.memory = torch.cuda.max_memory_allocated() if GPU else 0
        model = kwargs["model"]
        collate = make_collator(
            case.rows.chat_template.pad_id,
            narrow=weights.supports_logits_to_keep(model),
        )
        rows = conversations_of(case.rows.validation or case.rows.train)
        self.loss = loss.mean_loss(model, rows, case.settings.batch, collate)
        aside = now().since(end)
        self.opened = Time(self.opened.wall + aside.wall, self.opened.cpu + aside.cpu)

    def close(self) -> Result:
        """Stop what `all` is, and keep what each step cost, those of the warm-up aside."""
        self.all = [now().since(self.opened)]
        self.step = [end.since(start) for start, end in pairwise(self.ticks[WARM - 1 :])]
        return self


def ours(case: Case) -> Result:
    """Train as our trainer does it."""
    result = Result(case)
    watched = patch.object(
        learn,
        "LengthGroupedTrainer",
        lambda *a, **kw: result.watch(LengthGroupedTrainer(*a, **kw)),
    )
    with tempfile.TemporaryDirectory() as folder, watched:
        pipeline.train_plan(case.plan, Path(folder))
    return result.close()


def fresh(case: Case) -> Any:
    """Return the base with a fresh adapter, as ours has it."""
    if case.settings.threads:
        torch.set_num_threads(case.settings.threads)
    transformers.set_seed(case.settings.seed)
    return weights.load_trainable(Path(case.settings.base), case.settings)


def bare(case: Case) -> Result:
    """Train with a loop as one writes it down."""
    result, settings, rows, model = Result(case), case.settings, case.rows, fresh(case)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, settings.learning_rate, weight_decay=0.0)
    warmup = round(settings.warmup * case.steps)
    schedule = transformers.get_scheduler(settings.schedule, optimizer, warmup, case.steps)
    collate = result.counting(make_collator(rows.chat_template.pad_id, narrow=True))
    result.on_train_begin()
    model.train()
    for batch in LengthGroupedSampler(rows.train, settings.batch, settings.seed):
        inputs = {k: v.to(model.device) for k, v in collate([rows.train[i] for i in batch]).items()}
        labels = inputs.pop("labels")
        mean: Any = loss.loss_per_token(model(**inputs), labels)
        mean.backward()
        torch.nn.utils.clip_grad_norm_(weights, settings.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        result.on_step_end()
    result.on_train_end(model=model)
    return result.close()


def arguments(case: Case, folder: str) -> dict[str, Any]:
    """Return the settings as transformers' Trainer names them; all others have their defaults."""
    s = case.settings
    return {
        "output_dir": folder, "num_train_epochs": s.epochs, "seed": s.seed,
        "per_device_train_batch_size": s.batch, "gradient_accumulation_steps": s.accumulation,
        "learning_rate": s.learning_rate, "lr_scheduler_type": s.schedule,
        "warmup_steps": round(s.warmup * case.steps), "weight_decay": s.weight_decay,
        "max_grad_norm": s.clip, "use_cpu": not GPU, "dataloader_pin_memory": GPU,
        "disable_tqdm": True, "report_to": "none",
    }  # fmt: skip


def in_order(kind: Any, case: Case) -> Any:
    """Return a kind of Trainer that is given our batches in our order."""

    def loader(self: Any) -> Any:
        batches = LengthGroupedSampler(case.rows.train, case.settings.batch, case.settings.seed)
        rows: Any = case.rows.train
        return self.accelerator.prepare(
            torch.utils.data.DataLoader(rows, batch_sampler=batches, collate_fn=self.data_collator)
        )

    return type("Ordered", (kind,), {"get_train_dataloader": loader})


def plain(case: Case) -> Result:
    """Train with transformers' Trainer."""
    result = Result(case)
    with tempfile.TemporaryDirectory() as folder:
        args = transformers.TrainingArguments(
            **arguments(case, folder), remove_unused_columns=False
        )
        trainer = in_order(transformers.Trainer, case)(
            model=fresh(case), args=args, train_dataset=case.rows.train,
            data_collator=make_collator(case.rows.chat_template.pad_id, narrow=True),
            compute_loss_func=loss.loss_per_token,
        )  # fmt: skip
        result.watch(trainer).train()
    return result.close()


def sft(case: Case, *, ordered: bool = False, **more: Any) -> Result:
    """Train with TRL's SFTTrainer, from files to a saved adapter; `more` are settings of it."""
    trl, data = import_module("trl"), import_module("datasets")
    result = Result(case)
    files = [case.plan.train, *filter(None, [case.plan.validation])]
    sets = [data.Dataset.from_list(messages(path)) for path in files]
    with tempfile.TemporaryDirectory() as folder:
        args = trl.SFTConfig(**arguments(case, folder), assistant_only_loss=True, **more)
        trainer = (in_order(trl.SFTTrainer, case) if ordered else trl.SFTTrainer)(
            model=fresh(case), args=args, train_dataset=sets[0],
            eval_dataset=sets[-1] if "eval_strategy" in more else None,
            processing_class=case.rows.chat_template.tokenizer,
        )  # fmt: skip
        if ordered:
            trainer.data_collator = make_collator(case.rows.chat_template.pad_id, narrow=False)
        result.watch(trainer).train()
        trainer.save_model(folder)
    return result.close()


def messages(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file, their messages alone."""
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return [{"messages": row["messages"]} for row in rows]
