"""Finds what would make a training fail before it starts; each problem is one line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tunegate.config.settings import parse_settings
from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan, Problem
from tunegate.storage.state_dir import StateDir
from tunegate.tokenization.chat_template import TemplateError, load_template
from tunegate.tokenization.encode import NotTrainable

from ..config.settings import Settings
from ..data import overflow, rows
from ..data.rows import EncodedItem
from ..model import base
from ..model.architecture import read_architecture
from ..model.chat_template import date_note
from ..model.load import local_device
from ..runtime.console import print_line
from . import memory, world_size

MAX_SHOWN_ROWS = 3  # rows that are named of those that cannot be encoded


def find_problems(plan: Plan) -> list[Problem]:
    """Return what is wrong with a plan, [] where it can be trained; print what it will need.

    The rows are encoded, but no weights are loaded: the base is read by its `config.json`.
    """
    try:
        settings = parse_settings(Settings, plan.config)
        folder = base.locate_base(settings.base, plan.root)
        template = load_template(folder)
        paths = {"train": plan.train, "validation": plan.validation}
        datasets = {k: Dataset.read(p, columns=plan.columns) for k, p in paths.items() if p}
        messages = list(preference_problems(datasets, settings))
        if not messages:
            encoded = {k: rows.encode_all(data, template, settings) for k, data in datasets.items()}
            for split, (items, unfit) in encoded.items():
                problems = row_problems(items, unfit, settings, folder)
                messages += [f"{split}: {message}" for message in problems]
            train_items = encoded["train"][0]
            messages += world_size.world_size_problems(train_items, settings, folder)
            messages += memory_problems(train_items, settings, folder)
        messages += base_problems(plan, settings, folder)
        if note := date_note(template):
            print(note, flush=True)
    except (TemplateError, ValueError, OSError) as error:
        messages = [str(error)]
    return [Problem(message) for message in messages]


def preference_problems(datasets: Mapping[str, Dataset], settings: Settings) -> Iterator[str]:
    """Yield for each split that `dpo` needs more rejected replies; note where others are unused."""
    if settings.objective == "dpo":
        for split, dataset in datasets.items():
            if missing_rejected := rows.missing_rejected_message(dataset):
                yield f'{split}: {missing_rejected}, and objective = "dpo" needs one in each'
    elif n := len(datasets["train"]) - len(datasets["train"].without_rejected()):
        print_line(f"{n:,} rows have a rejected reply, which is not learnt from:", "note")
        print_line('objective is "supervised"; "dpo" would learn from both')


def row_problems(
    items: Sequence[EncodedItem], unfit: Sequence[NotTrainable], settings: Settings, folder: Path
) -> Iterator[str]:
    """Yield why a split cannot be trained on.

    Args:
        items: The encoded rows of the split.
        unfit: The errors of the rows that could not be encoded.
        settings: The settings of the training.
        folder: The base's folder.
    """
    yield from map(str, unfit[:MAX_SHOWN_ROWS])
    if len(unfit) > MAX_SHOWN_ROWS:
        yield f"{len(unfit) - MAX_SHOWN_ROWS:,} more rows cannot be trained on"
    if not items and not unfit:
        yield "no rows"
    if equal_replies := rows.equal_replies_message(items):
        yield f"{equal_replies}: nothing can be learnt from them"
    try:
        longest = overflow.max_row_tokens(settings, folder)
        if items and not overflow.apply_overflow(items, longest, settings.on_overflow):
            yield f"`on_overflow` drops all {len(items):,} rows: raise `max_length`"
    except NotTrainable as error:
        yield str(error)


def base_problems(plan: Plan, settings: Settings, folder: Path) -> Iterator[str]:
    """Yield which settings do not suit the base, and whether the disk is too small."""
    architecture = read_architecture(folder)
    if settings.quantisation == "nf4":
        yield from architecture.unsupported_4bit_layers()
    if settings.method != "full":
        yield from architecture.unknown_targets(settings.targets)
    if settings.keep == "best" and plan.validation is None:
        yield 'no validation data: `patience` and keep = "best" go by its loss'
    needed, free = architecture.disk_bytes(settings), shutil.disk_usage(plan.train.parent).free
    if needed > free:
        yield (
            f"checkpoints need {memory.format_bytes(needed)}, the disk has "
            f"{memory.format_bytes(free)} free: make room, or move {StateDir(plan.root).folder} "
            "to a larger one and leave a link"
        )


def memory_problems(
    items: Sequence[EncodedItem], settings: Settings, folder: Path
) -> Iterator[str]:
    """Print the memory that the training needs; yield a line where the weights alone do not fit.

    More than the weights is an estimate, which is printed as a warning and stops nothing.
    """
    try:
        longest = overflow.max_row_tokens(settings, folder)
        fitting = overflow.apply_overflow(items, longest, settings.on_overflow)
    except NotTrainable:  # `row_problems` yields this error
        return
    estimate = memory.estimate_memory(
        read_architecture(folder),
        settings,
        rows.conversations_of(fitting),
        base.read_config(folder),
    )
    needed = world_size.per_process(estimate, settings)
    sharers = settings.processes if local_device() == "cpu" else 1  # of the memory of one device
    available = memory.free_memory() // sharers
    free_text = memory.format_bytes(available)
    if needed.weights > available:
        method_hint = "" if settings.method == "qlora" else ', or method = "qlora"'
        yield (
            f"the base's weights alone need {memory.format_bytes(needed.weights)}, and {free_text} "
            f"are free: take a smaller base{method_hint}"
        )
        return
    world_size.print_world(settings)
    print_line(str(needed), "memory")
    print_line(f"{free_text} free{', for each process' * (settings.world_size > 1)}")
    if needed.total > available:
        print_line("that may not fit: a lower batch and a higher accumulation want less,")
        print_line("gradient_checkpointing = true far less")
