"""`accelerate.yaml`: what accelerate is told of the processes, and the command that reads it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tunegate.files import write_whole

from .config import Settings

NAME = "accelerate.yaml"
WORKER = "tunegate_qlora.worker"
MIXED = {"bfloat16": "bf16", "float16": "fp16", "float32": "no"}  # accelerate's names


def content(settings: Settings, layer: str, *, gpu: bool) -> dict[str, Any]:
    """Return the configuration; `layer` is the class of the base's decoder layers.

    Keys are those of accelerate's ClusterConfig. `MULTI_GPU` is also what it calls processes on
    CPUs that it starts itself.
    """
    host, _, port = settings.address.rpartition(":")
    found: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP" if settings.sharding == "fsdp" else "MULTI_GPU",
        "use_cpu": not gpu,
        "num_machines": settings.machines,
        "num_processes": settings.world,
        "machine_rank": 0,
        "main_process_port": int(port or 0),  # 0: any that is free
        "rdzv_backend": "static",
        "same_network": True,
        "mixed_precision": MIXED[settings.compute] if gpu else "no",  # a CPU mixes none
    }
    if host:
        found["main_process_ip"] = host.strip("[]")
    if settings.sharding == "fsdp":
        found["fsdp_config"] = _sharded(layer)
    return found


def write(settings: Settings, layer: str, folder: Path, *, gpu: bool | None = None) -> Path:
    """Write the configuration into a folder, whole or not at all; for this machine's devices."""
    yaml: Any = import_module("yaml")  # accelerate needs it; it has no types

    path = folder / NAME
    told = content(settings, layer, gpu=torch.cuda.is_available() if gpu is None else gpu)
    write_whole(path, yaml.safe_dump(told, sort_keys=False).encode())
    return path


def check(path: Path, settings: Settings) -> None:
    """Raise ValueError where accelerate itself reads the configuration otherwise than meant."""
    from accelerate.commands import launch
    from accelerate.utils.launch import prepare_multi_gpu_env

    told = launch.launch_command_parser().parse_args(["--config_file", str(path), "-m", "worker"])
    read, *_ = launch._validate_launch_command(told)
    if settings.machines == 1:
        read.main_process_port = 0  # its check of a port in use is for the machine that trains
    environment = prepare_multi_gpu_env(read)
    found = (read.num_processes, read.num_machines, read.nproc_per_node)
    meant = (settings.world, settings.machines, str(settings.processes))
    sharded = environment.get("ACCELERATE_USE_FSDP") == "true"
    if found != meant or sharded != (settings.sharding == "fsdp"):
        raise ValueError(f"accelerate reads {path.name} as {found}, fsdp {sharded}, not {meant}")


def command(folder: Path, machine: int, order: Path) -> list[str]:
    """Return what is run on a machine."""
    told = ["--config_file", str(folder / NAME), "--machine_rank", str(machine)]
    return ["accelerate", "launch", *told, "-m", WORKER, str(order)]


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
