"""The group of processes that train together (torch.distributed); one alone is rank 0 of one."""

import os
from typing import Any

import torch
import torch.distributed as dist


def enable_cpu_fsdp() -> None:
    """Make accelerate use FSDP between CPUs, which gloo supports and accelerate does not offer.

    The processes are declared to be of the type that accelerate has for GPUs. Call this before an
    `Accelerator` is made. `_shared_state` is private; tried with accelerate 1.15.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def is_distributed() -> bool:
    """Return whether this process is one of several that train together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    """Return the number of this process in the group, from 0."""
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    """Return the number of processes in the group, on all machines."""
    return dist.get_world_size() if is_distributed() else 1


def local_rank() -> int:
    """Return the number of this process on its machine, which is the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if is_distributed() else 0


def is_main() -> bool:
    """Return whether this process is the first: the one that prints and writes files."""
    return rank() == 0


def print_line(text: str, label: str = "") -> None:
    """Print a line after a label of ten columns; of several processes only the first prints."""
    if is_main():
        print(f"{label:<10}{text}", flush=True)


def barrier() -> None:
    """Wait until every process has called this."""
    if is_distributed():
        dist.barrier()


def broadcast(value: Any) -> Any:
    """Return the first process's `value` in every process; all of them must call this."""
    if not is_distributed():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0, device=_communication_device())
    return values[0]


def all_reduce_sum(*values: float) -> list[float]:
    """Return the sum of each value over all processes; all of them must call this."""
    if not is_distributed():
        return list(values)
    totals = torch.tensor(values, dtype=torch.float64, device=_communication_device())
    dist.all_reduce(totals)
    return [float(value) for value in totals]


def full_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """Return a whole weight, which FSDP may have sharded; all processes must call this."""
    detached = tensor.detach()
    return detached.full_tensor() if hasattr(detached, "full_tensor") else detached


def shard_like(tensor: torch.Tensor, like: Any) -> torch.Tensor:
    """Return a whole tensor, sharded as the weight `like` is; as it is where `like` is whole."""
    if not hasattr(like, "device_mesh"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


def _communication_device() -> torch.device:
    """Return where tensors must lie: NCCL sends from GPU memory, gloo from main memory."""
    if "nccl" in str(dist.get_backend()):
        return torch.device("cuda", local_rank())
    return torch.device("cpu")
