"""What a dry run says: who would train what with which command, and how the rehearsal went."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunegate.dataset import Dataset
from tunegate.protocols import Plan, TrainingFailed
from tunegate.settings import settle

from . import (
    accelerated,
    base,
    company,
    fit,
    memory,
    pairs,
    preflight,
    rehearsal,
    shape,
    template,
    training,
)
from .config import Settings
from .failures import in_one_message
from .pairs import Item


def run(plan: Plan, root: Path, scratch: Path) -> Iterator[str]:
    """Yield the lines; raise TrainingFailed where the training, or its rehearsal, would fail."""
    settings = settle(Settings, plan.config)
    with in_one_message(settings):
        folder = base.locate(settings.base, root)
        kept = _kept(plan, settings, folder)
        yield from _who(settings, len(kept))
        yield from _what(settings, folder, pairs.rows(kept))
        yield from _how(settings, folder, scratch)
        if wrong := list(company.senseless(kept, settings, folder)):
            raise TrainingFailed("\n  - ".join(["this cannot be trained", *wrong]))
        yield from _rehearsed(plan, settings, folder, scratch)


def _kept(plan: Plan, settings: Settings, folder: Path) -> list[Item]:
    """Return what is trained on; raise TrainingFailed where preflight would refuse a row."""
    data = Dataset.read(plan.train, columns=plan.columns)
    wrong = list(preflight.preferences({"train": data}, settings))
    items, unfit = ([], []) if wrong else pairs.encoded(data, template.load(folder), settings)
    if wrong := wrong or list(preflight.unfit_for(items, unfit, settings, folder)):
        raise TrainingFailed("\n  - ".join(["this cannot be trained", *wrong]))
    return fit.fit(items, fit.limit(settings, folder), settings.on_overflow)


def _who(settings: Settings, rows: int) -> Iterator[str]:
    each = f"{settings.processes} process{'es' * (settings.processes > 1)}"
    machines = f"{settings.machines} machine{'s' * (settings.machines > 1)}"
    step = settings.world * settings.batch * settings.accumulation
    yield f"dry run   {settings.method}: {each} on {machines}, a GPU for each"
    yield (
        f"          {step:,} rows a step ({settings.batch} x {settings.accumulation} x "
        f"{settings.world}), {-(-rows // step):,} steps an epoch, {settings.epochs} epochs"
    )


def _what(settings: Settings, folder: Path, rows: Any) -> Iterator[str]:
    whole = memory.estimate(shape.described(folder), settings, rows, base.config(folder), gpu=True)
    yield f"memory    each GPU: {company.each(whole, settings)}"
    if settings.sharding == "fsdp":
        layer = shape.decoder(folder)
        yield f"sharding  fsdp: each process holds 1/{settings.world} of every {layer}"
        if settings.quantisation == "nf4":
            yield f"          while it loads, each GPU holds all of it: {memory.gb(whole.weights)}"
        else:
            held = settings.processes * whole.weights
            yield f"          while it loads, each machine needs {memory.gb(held)} of RAM"


def _how(settings: Settings, folder: Path, scratch: Path) -> Iterator[str]:
    if settings.world == 1:
        yield "command   pytest suites/data --train-with qlora: one process, without accelerate"
        return
    path = accelerated.write(settings, shape.decoder(folder), scratch, gpu=True)
    accelerated.check(path, settings)
    yield f"config    {accelerated.NAME}, read by accelerate as it is meant:"
    yield from (f"            {line}" for line in path.read_text().splitlines())
    yield "command   pytest suites/data --train-with qlora, which runs"
    run = Path("RUN")
    for machine in range(min(settings.machines, 2)):
        if machine:
            yield "          elsewhere: tunegate join RUN --machine 1 (2, ...), which runs"
        told = accelerated.command(run, machine, run / f"workers/order-{machine}.json")
        yield f"            {' '.join(told)}"


def _rehearsed(plan: Plan, settings: Settings, folder: Path, scratch: Path) -> Iterator[str]:
    count = rehearsal.processes(settings)
    yield f"rehearsal {count} of {settings.world} processes, on this CPU: a minute or so"
    small = rehearsal.planned(plan, scratch, folder)
    made = scratch / "run"
    made.mkdir()
    figures = rehearsal.run(training.prepared(small, made))
    yield (
        f"          good: {figures['steps']} steps of the base's architecture in small, a "
        "checkpoint,"
    )
    yield "          resumed from it to the same weights, saved, read back"
    yield "not seen  the weights in their real size, mixed precision and NCCL on GPUs, the"
    yield "          network, the speed: only the machine itself shows those"
