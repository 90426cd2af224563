"""`accelerate.yaml`: what accelerate is told of the processes, and the command that reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tunegate.files import write_whole

from .config import Settings

NAME = "accelerate.yaml"


def content(settings: Settings, layer: str) -> dict[str, Any]:
    """Return the configuration; `layer` is the class of the base's decoder layers.

    Keys are those of accelerate's ClusterConfig. `MULTI_GPU` is also what it calls processes on
    CPUs that it starts itself.
    """
    host, _, port = settings.address.rpartition(":")
    found: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP" if settings.sharding == "fsdp" else "MULTI_GPU",
        "use_cpu": not torch.cuda.is_available(),
        "num_machines": settings.machines,
        "num_processes": settings.world,
        "machine_rank": 0,
        "main_process_port": int(port or 0),  # 0: any that is free
        "rdzv_backend": "static",
        "same_network": True,
        "mixed_precision": mixed(settings),
    }
    if host:
        found["main_process_ip"] = host.strip("[]")
    if settings.sharding == "fsdp":
        found["fsdp_config"] = _sharded(layer)
    return found


def mixed(settings: Settings) -> str:
    """Return accelerate's name for the format that GPUs compute in; a CPU mixes none."""
    names = {"bfloat16": "bf16", "float16": "fp16"}
    return names.get(settings.compute, "no") if torch.cuda.is_available() else "no"


def write(settings: Settings, layer: str, folder: Path) -> Path:
    """Write the configuration into a folder, whole or not at all."""
    import yaml

    path = folder / NAME
    write_whole(path, yaml.safe_dump(content(settings, layer), sort_keys=False).encode())
    return path


def command(folder: Path, machine: int, order: Path) -> list[str]:
    """Return what is run on a machine."""
    told = ["--config_file", str(folder / NAME), "--machine_rank", str(machine)]
    return ["accelerate", "launch", *told, "-m", "tunegate_qlora.worker", str(order)]


def _sharded(layer: str) -> dict[str, Any]:
    return {
        "fsdp_version": 2,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_transformer_layer_cls_to_wrap": layer,
        "fsdp_reshard_after_forward": True,
        "fsdp_state_dict_type": "SHARDED_STATE_DICT",  # each process keeps its own part
        "fsdp_offload_params": False,
        "fsdp_cpu_ram_efficient_loading": False,
    }
