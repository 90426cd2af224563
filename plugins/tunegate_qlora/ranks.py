"""Which of several processes this one is, and what they agree on; alone it is the first of one."""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed as dist


def meet() -> None:
    """Join the others that the launcher started: NCCL between GPUs, gloo between CPUs."""
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())


def shard_on_cpus() -> None:
    """Let accelerate use FSDP between CPUs, where gloo can: it offers it to accelerators alone.

    Its processes then are what it calls them on GPUs. To be called before an `Accelerator` is made.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def part() -> None:
    """Wait for the others once more, and let them go."""
    together()
    dist.destroy_process_group()


def several() -> bool:
    """Whether this process is one of several that train together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    """Return this process's number, from 0."""
    return dist.get_rank() if several() else 0


def world() -> int:
    """Return how many processes train together, on all machines."""
    return dist.get_world_size() if several() else 1


def local() -> int:
    """Return this process's number on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if several() else 0


def first() -> bool:
    """Whether this process prints, and writes what there is one of."""
    return rank() == 0


def together() -> None:
    """Wait until every process is here."""
    if several():
        dist.barrier()


def from_first(value: Any) -> Any:
    """Return what the first process has, in every one; they all have to call this."""
    if not several():
        return value
    held = [value]
    dist.broadcast_object_list(held, src=0, device=_device())
    return held[0]


def summed(*values: float) -> list[float]:
    """Return sums over all processes, the same in every one; they all have to call this."""
    if not several():
        return list(values)
    held = torch.tensor(values, dtype=torch.float64, device=_device())
    dist.all_reduce(held)
    return [float(value) for value in held]


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a weight of which each process may hold a part (FSDP); all have to call this."""
    told = tensor.detach()
    return told.full_tensor() if hasattr(told, "full_tensor") else told


def parted(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return a whole tensor as the weight `like` is held: whole, or a part in each process."""
    if not hasattr(like, "device_mesh"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    held: Any = like
    return distribute_tensor(tensor.to(like.device), held.device_mesh, held.placements)


def _device() -> torch.device:
    """NCCL moves what is on a GPU, gloo what is in memory."""
    if "nccl" in str(dist.get_backend()):
        return torch.device("cuda", local())
    return torch.device("cpu")
