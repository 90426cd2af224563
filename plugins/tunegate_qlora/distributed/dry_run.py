"""What a dry run says: who would train what with which command, and how the rehearsal went."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunegate.config.settings import parse_settings
from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan, TrainingFailed

from ..config.settings import Settings
from ..data import overflow
from ..data import rows as pairs
from ..data.rows import EncodedItem
from ..model import architecture, base, chat_template
from ..preflight import checks, memory, world_size
from ..runtime.errors import one_line_errors
from ..training import job
from . import accelerate_config, rehearsal


def dry_run_lines(plan: Plan, root: Path, scratch: Path) -> Iterator[str]:
    """Yield the lines; raise TrainingFailed where the training, or its rehearsal, would fail."""
    settings = parse_settings(Settings, plan.config)
    with one_line_errors(settings):
        folder = base.locate_base(settings.base, root)
        items = _items_to_train(plan, settings, folder)
        yield from _process_lines(settings, len(items))
        yield from _memory_lines(settings, folder, pairs.conversations_of(items))
        yield from _command_lines(settings, folder, scratch)
        if faults := list(world_size.invalid_world(items, settings, folder)):
            raise TrainingFailed("\n  - ".join(["this cannot be trained", *faults]))
        yield from _rehearsal_lines(plan, settings, folder, scratch)


def _items_to_train(plan: Plan, settings: Settings, folder: Path) -> list[EncodedItem]:
    """Return what is trained on; raise TrainingFailed where preflight would refuse a row."""
    data = Dataset.read(plan.train, columns=plan.columns)
    faults = list(checks.preference_problems({"train": data}, settings))
    items, unfit = (
        ([], [])
        if faults
        else pairs.encode_all(data, chat_template.load_template(folder), settings)
    )
    if faults := faults or list(checks.row_problems(items, unfit, settings, folder)):
        raise TrainingFailed("\n  - ".join(["this cannot be trained", *faults]))
    return overflow.apply_overflow(
        items, overflow.max_row_tokens(settings, folder), settings.on_overflow
    )


def _process_lines(settings: Settings, rows: int) -> Iterator[str]:
    processes_text = f"{settings.processes} process{'es' * (settings.processes > 1)}"
    machines = f"{settings.machines} machine{'s' * (settings.machines > 1)}"
    step = settings.world_size * settings.batch * settings.accumulation
    yield f"dry run   {settings.method}: {processes_text} on {machines}, a GPU for each"
    yield (
        f"          {step:,} rows a step ({settings.batch} x {settings.accumulation} x "
        f"{settings.world_size}), {-(-rows // step):,} steps an epoch, {settings.epochs} epochs"
    )


def _memory_lines(settings: Settings, folder: Path, rows: Any) -> Iterator[str]:
    estimate = memory.estimate_memory(
        architecture.describe_architecture(folder),
        settings,
        rows,
        base.read_config(folder),
        gpu=True,
    )
    yield f"memory    each GPU: {world_size.per_process(estimate, settings)}"
    if settings.sharding == "fsdp":
        layer = architecture.decoder_layer_class(folder)
        yield f"sharding  fsdp: each process holds 1/{settings.world_size} of every {layer}"
        if settings.quantisation == "nf4":
            yield f"          while it loads, each GPU holds all of it: {memory.format_bytes(estimate.weights)}"
        else:
            ram = settings.processes * estimate.weights
            yield f"          while it loads, each machine needs {memory.format_bytes(ram)} of RAM"


def _command_lines(settings: Settings, folder: Path, scratch: Path) -> Iterator[str]:
    if settings.world_size == 1:
        yield "command   pytest suites/data --train-with qlora: one process, without accelerate"
        return
    path = accelerate_config.write_config(
        settings, architecture.decoder_layer_class(folder), scratch, gpu=True
    )
    accelerate_config.check_config(path, settings)
    yield f"config    {accelerate_config.CONFIG_FILE}, read by accelerate as it is meant:"
    yield from (f"            {line}" for line in path.read_text().splitlines())
    yield "command   pytest suites/data --train-with qlora, which runs"
    run = Path("RUN")
    for machine in range(min(settings.machines, 2)):
        if machine:
            yield "          elsewhere: tunegate join RUN --machine 1 (2, ...), which runs"
        arguments = accelerate_config.launch_command(
            run, machine, run / f"workers/order-{machine}.json"
        )
        yield f"            {' '.join(arguments)}"


def _rehearsal_lines(plan: Plan, settings: Settings, folder: Path, scratch: Path) -> Iterator[str]:
    count = rehearsal.rehearsed_processes(settings)
    yield f"rehearsal {count} of {settings.world_size} processes, on this CPU: a minute or so"
    small_plan = rehearsal.rehearsal_plan(plan, scratch, folder)
    run_folder = scratch / "run"
    run_folder.mkdir()
    figures = rehearsal.rehearse(job.make_job(small_plan, run_folder))
    yield (
        f"          good: {figures['steps']} steps of the base's architecture in small, a "
        "checkpoint,"
    )
    yield "          resumed from it to the same weights, saved, read back"
    yield "not seen  the weights in their real size, mixed precision and NCCL on GPUs, the"
    yield "          network, the speed: only the machine itself shows those"
