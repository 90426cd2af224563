"""What would make a training fail, found before anything is spent; one line each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tunegate.config.settings import parse_settings
from tunegate.data.dataset import Dataset, rejected_reply
from tunegate.interfaces.trainer import Plan, Problem
from tunegate.storage.state_dir import StateDir
from tunegate.tokenization.chat_template import TemplateError
from tunegate.tokenization.encode import NotTrainable

from ..config.settings import Settings
from ..data import overflow
from ..data import rows as pairs
from ..data.rows import EncodedItem
from ..model import architecture as shape
from ..model import base
from ..model import chat_template as rendering
from ..model import chat_template as template
from ..model.load import local_device
from ..runtime.console import print_line
from . import memory, world_size

EncodedSplit = tuple[list[EncodedItem], list[NotTrainable]]
MAX_SHOWN_ROWS = 3  # rows named for one kind of trouble: the rest is a count


def find_problems(plan: Plan) -> list[Problem]:
    """Return what is wrong with a plan; empty where it can be trained."""
    try:
        settings = parse_settings(Settings, plan.config)
        folder = base.locate_base(settings.base, plan.root)
        chat_template = template.load_template(folder)
        datasets = _read_splits(plan)
        messages = list(preference_problems(datasets, settings))
        if not messages:
            encoded = {
                k: pairs.encode_all(data, chat_template, settings) for k, data in datasets.items()
            }
            messages += _data_problems(encoded, settings, folder)
            messages += world_size.world_size_problems(encoded["train"][0], settings, folder)
            messages += _memory_problems(encoded["train"][0], settings, folder)
        messages += _model_problems(plan, settings, folder)
        if date_message := rendering.date_note(chat_template):
            print(date_message, flush=True)
    except (TemplateError, ValueError, OSError) as error:
        messages = [str(error)]
    return [Problem(message) for message in messages]


def _read_splits(plan: Plan) -> dict[str, Dataset]:
    paths = {"train": plan.train, "validation": plan.validation}
    return {k: Dataset.read(p, columns=plan.columns) for k, p in paths.items() if p is not None}


def preference_problems(datasets: Mapping[str, Dataset], settings: Settings) -> Iterator[str]:
    """Yield a line where `dpo` lacks rejected replies; say it where nothing learns from them."""
    if settings.objective == "dpo":
        for split, dataset in datasets.items():
            if missing_rejected := pairs.missing_rejected_message(dataset):
                yield f'{split}: {missing_rejected}, and objective = "dpo" needs one in each'
    elif n := sum(rejected_reply(example) is not None for example in datasets["train"]):
        print_line(f"{n:,} rows have a rejected reply, which is not learnt from:", "note")
        print_line('objective is "supervised"; "dpo" would learn from both')


def _data_problems(
    encoded: Mapping[str, EncodedSplit], settings: Settings, folder: Path
) -> Iterator[str]:
    for split, (rows, unfit) in encoded.items():
        yield from (
            f"{split}: {message}" for message in row_problems(rows, unfit, settings, folder)
        )


def row_problems(
    rows: Sequence[EncodedItem], unfit: Sequence[NotTrainable], settings: Settings, folder: Path
) -> Iterator[str]:
    """Yield why a split cannot be trained on: the rows that were read of it, and what refused."""
    yield from map(str, unfit[:MAX_SHOWN_ROWS])
    if len(unfit) > MAX_SHOWN_ROWS:
        yield f"{len(unfit) - MAX_SHOWN_ROWS:,} more rows cannot be trained on"
    if not rows and not unfit:
        yield "no rows"
    if equal_replies := pairs.equal_replies_message(rows):
        yield f"{equal_replies}: nothing can be learnt from them"
    try:
        fitting = overflow.apply_overflow(
            rows, overflow.max_row_tokens(settings, folder), settings.on_overflow
        )
        if rows and not fitting:
            yield f"`on_overflow` drops all {len(rows):,} rows: raise `max_length`"
    except NotTrainable as error:
        yield str(error)


def _model_problems(plan: Plan, settings: Settings, folder: Path) -> Iterator[str]:
    architecture = shape.read_architecture(folder)
    if settings.quantisation == "nf4":
        yield from architecture.unsupported_4bit_layers()
    if settings.method != "full":
        yield from architecture.unknown_targets(settings.targets)
    if settings.keep == "best" and plan.validation is None:
        yield 'no validation data: `patience` and keep = "best" go by its loss'
    needed_bytes = architecture.disk_bytes(settings)
    free_bytes = shutil.disk_usage(plan.train.parent).free
    if needed_bytes > free_bytes:
        yield (
            f"checkpoints need {memory.format_bytes(needed_bytes)}, the disk has {memory.format_bytes(free_bytes)} free: make room, "
            f"or move {StateDir(plan.root).folder} to a larger one and leave a link"
        )


def _memory_problems(
    rows: Sequence[EncodedItem], settings: Settings, folder: Path
) -> Iterator[str]:
    """Say what the training wants; yield a line only where the weights alone do not fit."""
    try:
        conversations = pairs.conversations_of(
            overflow.apply_overflow(
                rows, overflow.max_row_tokens(settings, folder), settings.on_overflow
            )
        )
    except NotTrainable:  # told already
        return
    total_estimate = memory.estimate_memory(
        shape.read_architecture(folder), settings, conversations, base.read_config(folder)
    )
    needed = world_size.per_process(total_estimate, settings)
    available = memory.free_memory() // (
        settings.processes if local_device() == "cpu" else 1
    )  # they share it
    if needed.weights > available:
        method_hint = "" if settings.method == "qlora" else ', or method = "qlora"'
        yield (
            f"the base's weights alone need {memory.format_bytes(needed.weights)}, and {memory.format_bytes(available)} are "
            f"free: take a smaller base{method_hint}"
        )
        return
    world_size.print_world(settings)
    print_line(str(needed), "memory")
    print_line(
        f"{memory.format_bytes(available)} free{', for each process' * (settings.world_size > 1)}"
    )
    if needed.total > available:
        print_line("that may not fit: a lower batch and a higher accumulation want less,")
        print_line("gradient_checkpointing = true far less")
