"""Which of several processes this one is, and what they agree on; alone it is the first of one."""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed as dist


def init() -> None:
    """Join the others that the launcher started: NCCL between GPUs, gloo between CPUs."""
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())


def enable_cpu_fsdp() -> None:
    """Let accelerate use FSDP between CPUs, where gloo can: it offers it to accelerators alone.

    Its processes then are what it calls them on GPUs. To be called before an `Accelerator` is made.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def shutdown() -> None:
    """Wait for the others once more, and let them go."""
    barrier()
    dist.destroy_process_group()


def is_distributed() -> bool:
    """Whether this process is one of several that train together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    """Return this process's number, from 0."""
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    """Return how many processes train together, on all machines."""
    return dist.get_world_size() if is_distributed() else 1


def local_rank() -> int:
    """Return this process's number on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if is_distributed() else 0


def is_main() -> bool:
    """Whether this process prints, and writes what there is one of."""
    return rank() == 0


def barrier() -> None:
    """Wait until every process is here."""
    if is_distributed():
        dist.barrier()


def broadcast(value: Any) -> Any:
    """Return what the first process has, in every one; they all have to call this."""
    if not is_distributed():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0, device=_communication_device())
    return values[0]


def all_reduce_sum(*values: float) -> list[float]:
    """Return sums over all processes, the same in every one; they all have to call this."""
    if not is_distributed():
        return list(values)
    totals = torch.tensor(values, dtype=torch.float64, device=_communication_device())
    dist.all_reduce(totals)
    return [float(value) for value in totals]


def full_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """Return a weight of which each process may hold a part (FSDP); all have to call this."""
    detached = tensor.detach()
    return detached.full_tensor() if hasattr(detached, "full_tensor") else detached


def shard_like(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return a whole tensor as the weight `like` is held: whole, or a part in each process."""
    if not hasattr(like, "device_mesh"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    sharded: Any = like
    return distribute_tensor(tensor.to(like.device), sharded.device_mesh, sharded.placements)


def _communication_device() -> torch.device:
    """NCCL moves what is on a GPU, gloo what is in memory."""
    if "nccl" in str(dist.get_backend()):
        return torch.device("cuda", local_rank())
    return torch.device("cpu")
