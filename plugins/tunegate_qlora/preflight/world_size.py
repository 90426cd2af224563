"""Checks that several processes can train together, and describes what each of them does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from ..config.settings import Settings
from ..data.rows import EncodedItem
from ..model import architecture
from ..runtime.console import print_line
from .memory import MemoryEstimate


def world_size_problems(
    rows: Sequence[EncodedItem], settings: Settings, folder: Path
) -> Iterator[str]:
    """Yield why several processes cannot train together on this machine."""
    gpus = torch.cuda.device_count()
    if settings.world_size > 1 and 0 < gpus < settings.processes:
        yield (
            f"processes = {settings.processes}: this machine has {gpus} "
            f"GPU{'s' * (gpus > 1)}, and every process wants its own"
        )
    yield from invalid_world(rows, settings, folder)


def invalid_world(rows: Sequence[EncodedItem], settings: Settings, folder: Path) -> Iterator[str]:
    """Yield why several processes could not train together, or would be idle, on any machine."""
    if settings.world_size == 1:
        return
    batches = -(-len(rows) // settings.batch)
    if rows and batches < settings.world_size:
        yield (
            f"{len(rows):,} rows in batches of {settings.batch} make {batches:,} an epoch, fewer "
            f"than the {settings.world_size} processes: lower `batch` or `processes`"
        )
    if settings.sharding == "fsdp" and not architecture.decoder_layer_class(folder):
        yield (
            "sharding = 'fsdp' shares out a model by its decoder layers, and transformers names "
            "none for this base: set sharding = 'none'"
        )


def print_world(settings: Settings) -> None:
    """Print the number of processes, and of rows in a step; nothing for a single process."""
    if settings.world_size == 1:
        return
    machines_text = f" on {settings.machines} machines" if settings.machines > 1 else ""
    rows = settings.world_size * settings.batch * settings.accumulation
    sharding_text = ", the model shared out (fsdp)" if settings.sharding == "fsdp" else ""
    print_line(
        f"{settings.world_size}{machines_text}, {rows:,} rows a step{sharding_text}", "processes"
    )
    if not torch.cuda.is_available():
        print_line("no GPU here: they share the CPU, which is good for trying it out")


def per_process(total: MemoryEstimate, settings: Settings) -> MemoryEstimate:
    """Return the estimate for one process; FSDP splits weights and optimiser among them."""
    divisor = settings.world_size if settings.sharding == "fsdp" else 1
    return MemoryEstimate(total.weights / divisor, total.trained / divisor, total.activations)
