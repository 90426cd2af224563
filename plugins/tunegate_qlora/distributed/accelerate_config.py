"""Write `accelerate.yaml`, the configuration of the processes, and the command that reads it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tunegate.utils.atomic import atomic_write

from ..config.settings import Settings

CONFIG_FILE = "accelerate.yaml"
WORKER_MODULE = "tunegate_qlora.distributed.worker"
MIXED_PRECISION = {"bfloat16": "bf16", "float16": "fp16", "float32": "no"}  # accelerate's names


def accelerate_config(settings: Settings, layer_class: str, *, gpu: bool) -> dict[str, Any]:
    """Return the configuration, with the keys of accelerate's ClusterConfig.

    `layer_class` is the name of the class of the base's decoder layers, which FSDP wraps one by
    one. `MULTI_GPU` is also accelerate's name of processes on CPUs that it starts itself.
    """
    host, _, port = settings.address.rpartition(":")
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP" if settings.sharding == "fsdp" else "MULTI_GPU",
        "use_cpu": not gpu,
        "num_machines": settings.machines,
        "num_processes": settings.world_size,
        "machine_rank": 0,
        "main_process_port": int(port or 0),  # 0: any free one
        "rdzv_backend": "static",
        "same_network": True,
        "mixed_precision": MIXED_PRECISION[settings.compute] if gpu else "no",
    }
    if host:
        config["main_process_ip"] = host.strip("[]")
    if settings.sharding == "fsdp":
        config["fsdp_config"] = {
            "fsdp_version": 2,
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_transformer_layer_cls_to_wrap": layer_class,
            "fsdp_reshard_after_forward": True,
            "fsdp_state_dict_type": "SHARDED_STATE_DICT",  # each process saves its own part
            "fsdp_offload_params": False,
            "fsdp_cpu_ram_efficient_loading": False,
        }
    return config


def write_config(settings: Settings, layer: str, folder: Path, *, gpu: bool | None = None) -> Path:
    """Write the configuration into a folder; `gpu` defaults to whether this machine has one."""
    yaml: Any = import_module("yaml")  # accelerate requires it; it has no types
    path = folder / CONFIG_FILE
    config = accelerate_config(
        settings, layer, gpu=torch.cuda.is_available() if gpu is None else gpu
    )
    atomic_write(path, yaml.safe_dump(config, sort_keys=False).encode())
    return path


def check_config(path: Path, settings: Settings) -> None:
    """Raise ValueError where accelerate reads other numbers of processes than the settings have.

    Uses accelerate's private `_validate_launch_command` and `prepare_multi_gpu_env`.
    """
    from accelerate.commands import launch
    from accelerate.utils.launch import prepare_multi_gpu_env

    arguments = launch.launch_command_parser().parse_args(
        ["--config_file", str(path), "-m", "worker"]
    )
    parsed, *_ = launch._validate_launch_command(arguments)
    if settings.machines == 1:
        parsed.main_process_port = 0  # whether a port is in use matters only where it is trained
    environment = prepare_multi_gpu_env(parsed)
    actual = (parsed.num_processes, parsed.num_machines, parsed.nproc_per_node)
    expected = (settings.world_size, settings.machines, str(settings.processes))
    is_sharded = environment.get("ACCELERATE_USE_FSDP") == "true"
    if actual != expected or is_sharded != (settings.sharding == "fsdp"):
        raise ValueError(
            f"accelerate reads {path.name} as {actual}, fsdp {is_sharded}, not {expected}"
        )


def launch_command(folder: Path, machine: int, order_file: Path) -> list[str]:
    """Return the command that starts the workers of a machine."""
    options = ["--config_file", str(folder / CONFIG_FILE), "--machine_rank", str(machine)]
    return ["accelerate", "launch", *options, "-m", WORKER_MODULE, str(order_file)]
