"""Print how several processes would train, and rehearse it: `tunegate dry-run`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tunegate.config.settings import parse_settings
from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate.tokenization.chat_template import load_template
from tunegate.tokenization.encode import EncodedRow

from ..config.settings import Settings
from ..data import overflow, rows
from ..model import architecture, base
from ..preflight import checks, memory, world_size
from ..runtime.errors import one_line_errors
from ..training.job import make_job
from . import accelerate_config, rehearsal


def dry_run_lines(plan: Plan, root: Path, scratch: Path) -> Iterator[str]:
    """Yield the lines of a dry run; its files are written into the folder `scratch`.

    Raises TrainingFailed where the training, or its rehearsal, would fail.
    """
    settings = parse_settings(Settings, plan.config)
    with one_line_errors(settings):
        folder = base.locate_base(settings.base, root)

        # The rows, which preflight must not refuse.
        data = Dataset.read(plan.train, columns=plan.columns)
        raise_problems(checks.preference_problems({"train": data}, settings))
        items, refused = rows.encode_all(data, load_template(folder), settings)
        raise_problems(checks.row_problems(items, refused, settings, folder))
        max_tokens = overflow.max_row_tokens(settings, folder)
        items = overflow.apply_overflow(items, max_tokens, settings.on_overflow)

        # What would run where: processes, memory, command.
        processes = f"{settings.processes} process{'es' * (settings.processes > 1)}"
        machines = f"{settings.machines} machine{'s' * (settings.machines > 1)}"
        step = settings.world_size * settings.batch * settings.accumulation
        yield f"dry run   {settings.method}: {processes} on {machines}, a GPU for each"
        yield (
            f"          {step:,} rows a step ({settings.batch} x {settings.accumulation} x "
            f"{settings.world_size}), {-(-len(items) // step):,} steps an epoch, "
            f"{settings.epochs} epochs"
        )
        yield from memory_lines(settings, folder, rows.conversations_of(items))
        yield from command_lines(settings, folder, scratch)
        raise_problems(world_size.invalid_world(items, settings, folder))

        # The rehearsal.
        count = rehearsal.rehearsed_processes(settings)
        yield f"rehearsal {count} of {settings.world_size} processes, on this CPU: a minute or so"
        small_plan = rehearsal.rehearsal_plan(plan, scratch, folder)
        run_folder = scratch / "run"
        run_folder.mkdir()
        figures = rehearsal.rehearse(make_job(small_plan, run_folder))
        yield (
            f"          good: {figures['steps']} steps of the base's architecture in small, a "
            "checkpoint,"
        )
        yield "          resumed from it to the same weights, saved, read back"
        yield "not seen  the weights in their real size, mixed precision and NCCL on GPUs, the"
        yield "          network, the speed: only the machine itself shows those"


def raise_problems(problems: Iterable[str]) -> None:
    """Raise TrainingFailed that lists the problems, unless there are none."""
    if lines := list(problems):
        raise TrainingFailed("\n  - ".join(["this cannot be trained", *lines]))


def memory_lines(
    settings: Settings, folder: Path, conversations: Sequence[EncodedRow]
) -> Iterator[str]:
    """Yield the memory that each GPU, and each machine while it loads the base, needs."""
    described = architecture.describe_architecture(folder)
    config = base.read_config(folder)
    estimate = memory.estimate_memory(described, settings, conversations, config, gpu=True)
    yield f"memory    each GPU: {world_size.per_process(estimate, settings)}"
    if settings.sharding == "fsdp":
        layer = architecture.decoder_layer_class(folder)
        yield f"sharding  fsdp: each process holds 1/{settings.world_size} of every {layer}"
        if settings.quantisation == "nf4":
            weights = memory.format_bytes(estimate.weights)
            yield f"          while it loads, each GPU holds all of it: {weights}"
        else:
            ram = memory.format_bytes(settings.processes * estimate.weights)
            yield f"          while it loads, each machine needs {ram} of RAM"


def command_lines(settings: Settings, folder: Path, scratch: Path) -> Iterator[str]:
    """Yield the configuration of accelerate, after accelerate has read it, and the commands."""
    if settings.world_size == 1:
        yield "command   pytest suites/data --train-with qlora: one process, without accelerate"
        return
    layer = architecture.decoder_layer_class(folder)
    path = accelerate_config.write_config(settings, layer, scratch, gpu=True)
    accelerate_config.check_config(path, settings)
    yield f"config    {accelerate_config.CONFIG_FILE}, read by accelerate as it is meant:"
    yield from (f"            {line}" for line in path.read_text().splitlines())
    yield "command   pytest suites/data --train-with qlora, which runs"
    run = Path("RUN")
    for machine in range(min(settings.machines, 2)):
        if machine:
            yield "          elsewhere: tunegate join RUN --machine 1 (2, ...), which runs"
        order = run / f"workers/order-{machine}.json"
        yield f"            {' '.join(accelerate_config.launch_command(run, machine, order))}"
