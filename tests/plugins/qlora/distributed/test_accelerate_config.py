from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunegate_qlora.config.presets import resolve_settings
from tunegate_qlora.config.settings import Settings
from tunegate_qlora.distributed import accelerate_config
from tunegate_qlora.model import architecture


def settings(**said: Any) -> Settings:
    return resolve_settings({"base": "base", **said})


def test_processes_on_one_machine_find_a_port_themselves() -> None:
    found = accelerate_config.accelerate_config(settings(processes=4), "Layer", gpu=True)
    assert found["distributed_type"] == "MULTI_GPU"
    assert (found["num_processes"], found["num_machines"]) == (4, 1)
    assert (found["main_process_port"], found["mixed_precision"]) == (0, "bf16")
    assert "main_process_ip" not in found
    assert "fsdp_config" not in found
    assert (
        accelerate_config.accelerate_config(settings(processes=4), "", gpu=False)["mixed_precision"]
        == "no"
    )


@pytest.mark.parametrize("host", ["10.0.0.1", "[fe80::1]"])
def test_machines_meet_at_the_address(host: str) -> None:
    said = settings(processes=4, machines=2, address=f"{host}:29500", sharding="fsdp")
    found = accelerate_config.accelerate_config(said, "LlamaDecoderLayer", gpu=True)
    assert (found["num_processes"], found["num_machines"]) == (8, 2)
    assert (found["main_process_ip"], found["main_process_port"]) == (host.strip("[]"), 29500)
    assert found["fsdp_config"]["fsdp_transformer_layer_cls_to_wrap"] == "LlamaDecoderLayer"


@pytest.mark.parametrize(
    "said",
    [
        {"processes": 3},
        {"processes": 2, "sharding": "fsdp", "compute": "float16"},
        {"processes": 2, "machines": 3, "address": "10.0.0.1:29500"},
        {"machines": 2, "address": "10.0.0.1:29500", "sharding": "fsdp", "method": "lora"},
    ],
)
def test_accelerate_reads_it_as_it_is_meant(tmp_path: Path, said: dict[str, Any]) -> None:
    found = settings(**said)
    path = accelerate_config.write_config(found, "LlamaDecoderLayer", tmp_path, gpu=True)
    accelerate_config.check_config(path, found)
    with pytest.raises(ValueError, match=r"accelerate reads accelerate\.yaml as \("):
        accelerate_config.check_config(path, found.model_copy(update={"processes": 9}))


def test_the_command_names_the_machine() -> None:
    told = " ".join(
        accelerate_config.launch_command(Path("run"), 2, Path("run/workers/order-2.json"))
    )
    assert told == (
        "accelerate launch --config_file run/accelerate.yaml --machine_rank 2 "
        "-m tunegate_qlora.distributed.worker run/workers/order-2.json"
    )


def test_the_decoder_layer_is_the_base_s_own(base: Path) -> None:
    assert architecture.decoder_layer_class(base) == "LlamaDecoderLayer"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"sharding": "fsdp"}, "set processes above 1"),
        ({"machines": 2}, "machines above 1 and address go together"),
        ({"address": "here:1"}, "machines above 1 and address go together"),
        ({"machines": 2, "address": "here"}, "address"),
        ({"processes": 0}, "processes"),
    ],
)
def test_what_goes_with_what_is_said_at_once(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        settings(**said)
