"""Whether several processes can train this together, and what each of them has to hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from . import shape
from .config import Settings
from .memory import Estimate
from .pairs import Item
from .progress import say


def problems(rows: Sequence[Item], settings: Settings, folder: Path) -> Iterator[str]:
    """Yield what would make a training by several processes fail on this machine."""
    gpus = torch.cuda.device_count()
    if settings.world > 1 and 0 < gpus < settings.processes:
        yield (
            f"processes = {settings.processes}: this machine has {gpus} "
            f"GPU{'s' * (gpus > 1)}, and every process wants its own"
        )
    yield from senseless(rows, settings, folder)


def senseless(rows: Sequence[Item], settings: Settings, folder: Path) -> Iterator[str]:
    """Yield what would make it fail, or waste processes, on any machine."""
    if settings.world == 1:
        return
    batches = -(-len(rows) // settings.batch)
    if rows and batches < settings.world:
        yield (
            f"{len(rows):,} rows in batches of {settings.batch} make {batches:,} an epoch, fewer "
            f"than the {settings.world} processes: lower `batch` or `processes`"
        )
    if settings.sharding == "fsdp" and not shape.decoder(folder):
        yield (
            "sharding = 'fsdp' shares out a model by its decoder layers, and transformers names "
            "none for this base: set sharding = 'none'"
        )


def announce(settings: Settings) -> None:
    """Print who trains, and how many rows make a step."""
    if settings.world == 1:
        return
    where = f" on {settings.machines} machines" if settings.machines > 1 else ""
    rows = settings.world * settings.batch * settings.accumulation
    shared = ", the model shared out (fsdp)" if settings.sharding == "fsdp" else ""
    say(f"{settings.world}{where}, {rows:,} rows a step{shared}", "processes")
    if not torch.cuda.is_available():
        say("no GPU here: they share the CPU, which is good for trying it out")


def each(whole: Estimate, settings: Settings) -> Estimate:
    """Return what one process holds: of a model that is shared out, its part."""
    part = settings.world if settings.sharding == "fsdp" else 1
    return Estimate(whole.weights / part, whole.trained / part, whole.activations)
