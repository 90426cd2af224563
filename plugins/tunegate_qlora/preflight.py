"""What would make a training fail, found before anything is spent; one line each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tunegate.dataset import Dataset
from tunegate.encode import Unfit
from tunegate.preferences import rejected
from tunegate.protocols import Plan, Problem
from tunegate.settings import settle
from tunegate.state import State
from tunegate.template import Unrendered

from . import base, company, fit, memory, pairs, rendering, shape, template
from .config import Settings
from .pairs import Item
from .progress import say
from .quantise import device

Encoded = tuple[list[Item], list[Unfit]]
SHOWN = 3  # rows named for one kind of trouble: the rest is a count


def problems(plan: Plan) -> list[Problem]:
    """Return what is wrong with a plan; empty where it can be trained."""
    try:
        settings = settle(Settings, plan.config)
        folder = base.locate(settings.base, plan.root)
        chat = template.load(folder)
        datasets = _read(plan)
        found = list(preferences(datasets, settings))
        if not found:
            encoded = {k: pairs.encoded(data, chat, settings) for k, data in datasets.items()}
            found += _data(encoded, settings, folder)
            found += company.problems(encoded["train"][0], settings, folder)
            found += _memory(encoded["train"][0], settings, folder)
        found += _model(plan, settings, folder)
        if note := rendering.dated(chat):
            print(note, flush=True)
    except (Unrendered, ValueError, OSError) as error:
        found = [str(error)]
    return [Problem(what) for what in found]


def _read(plan: Plan) -> dict[str, Dataset]:
    paths = {"train": plan.train, "validation": plan.validation}
    return {k: Dataset.read(p, columns=plan.columns) for k, p in paths.items() if p is not None}


def preferences(datasets: Mapping[str, Dataset], settings: Settings) -> Iterator[str]:
    """Yield a line where `dpo` lacks rejected replies; say it where nothing learns from them."""
    if settings.objective == "dpo":
        for split, dataset in datasets.items():
            if told := pairs.without(dataset):
                yield f'{split}: {told}, and objective = "dpo" needs one in each'
    elif n := sum(rejected(example) is not None for example in datasets["train"]):
        say(f"{n:,} rows have a rejected reply, which is not learnt from:", "note")
        say('objective is "supervised"; "dpo" would learn from both')


def _data(encoded: Mapping[str, Encoded], settings: Settings, folder: Path) -> Iterator[str]:
    for split, (rows, unfit) in encoded.items():
        yield from (f"{split}: {told}" for told in unfit_for(rows, unfit, settings, folder))


def unfit_for(
    rows: Sequence[Item], unfit: Sequence[Unfit], settings: Settings, folder: Path
) -> Iterator[str]:
    """Yield why a split cannot be trained on: the rows that were read of it, and what refused."""
    yield from map(str, unfit[:SHOWN])
    if len(unfit) > SHOWN:
        yield f"{len(unfit) - SHOWN:,} more rows cannot be trained on"
    if not rows and not unfit:
        yield "no rows"
    if same := pairs.equal(rows):
        yield f"{same}: nothing can be learnt from them"
    try:
        kept = fit.fit(rows, fit.limit(settings, folder), settings.on_overflow)
        if rows and not kept:
            yield f"`on_overflow` drops all {len(rows):,} rows: raise `max_length`"
    except Unfit as error:
        yield str(error)


def _model(plan: Plan, settings: Settings, folder: Path) -> Iterator[str]:
    outline = shape.outline(folder)
    if settings.quantisation == "nf4":
        yield from outline.odd()
    if settings.method != "full":
        yield from outline.unknown(settings.targets)
    if settings.keep == "best" and plan.validation is None:
        yield 'no validation data: `patience` and keep = "best" go by its loss'
    need = outline.disk(settings)
    free = shutil.disk_usage(plan.train.parent).free
    if need > free:
        yield (
            f"checkpoints need {memory.gb(need)}, the disk has {memory.gb(free)} free: make room, "
            f"or move {State(plan.root).folder} to a larger one and leave a link"
        )


def _memory(rows: Sequence[Item], settings: Settings, folder: Path) -> Iterator[str]:
    """Say what the training wants; yield a line only where the weights alone do not fit."""
    try:
        kept = pairs.rows(fit.fit(rows, fit.limit(settings, folder), settings.on_overflow))
    except Unfit:  # told already
        return
    estimate = memory.estimate(shape.outline(folder), settings, kept, base.config(folder))
    wanted = company.each(estimate, settings)
    free = memory.free() // (settings.processes if device() == "cpu" else 1)  # they share it
    if wanted.weights > free:
        smaller = "" if settings.method == "qlora" else ', or method = "qlora"'
        yield (
            f"the base's weights alone need {memory.gb(wanted.weights)}, and {memory.gb(free)} are "
            f"free: take a smaller base{smaller}"
        )
        return
    company.announce(settings)
    say(str(wanted), "memory")
    say(f"{memory.gb(free)} free{', for each process' * (settings.world > 1)}")
    if wanted.total > free:
        say("that may not fit: a lower batch and a higher accumulation want less,")
        say("gradient_checkpointing = true far less")
