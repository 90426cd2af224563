from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elsewhere import adapter, open_gate
from tiny_llama import CHATML, make_base

from tunegate_axolotl.import_model import ADAPTER_WEIGHTS, model_problems
from tunegate_qlora.data.training_data import make_job

Faults = Callable[..., list[str]]


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter on the base; nobody writes to it."""
    return adapter(base, tmp_path_factory.mktemp("elsewhere") / "out")


@pytest.fixture
def out(trained: Path, project: Path) -> Path:
    """A copy of that adapter, yours to spoil."""
    return Path(shutil.copytree(trained, project / "out"))


@pytest.fixture
def faults(project: Path) -> Faults:
    """Hold a folder against a run of the project."""

    def found(folder: Path, *, same_base: bool = False, **said: Any) -> list[str]:
        run = open_gate(project, **said)
        job = make_job(run.plan, run.folder)
        return [*model_problems(folder, job, run, same_base)]

    return found


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | values))


def test_an_adapter_of_the_run_s_base_and_settings_has_no_faults(out: Path, faults: Faults) -> None:
    assert faults(out) == []


@pytest.mark.parametrize("name", ["adapter_config.json", ADAPTER_WEIGHTS])
def test_a_folder_without_an_adapter_is_named(out: Path, faults: Faults, name: str) -> None:
    (out / name).unlink()
    assert faults(out) == [f"{out} holds no adapter: {name} is missing"]


def test_an_adapter_one_folder_below_is_pointed_at(out: Path, faults: Faults) -> None:
    (fault,) = faults(out.parent)
    assert fault.endswith("adapter_config.json is missing; there is one in out")


def test_another_base_is_refused(out: Path, faults: Faults, project: Path) -> None:
    other = make_base(project / "other", template=CHATML + " ")
    edit(out / "adapter_config.json", base_model_name_or_path=str(other))
    (fault,) = faults(out)
    assert fault == f"it was trained on '{other}', the run is on another base: 'base'"


def test_a_base_that_is_not_here_wants_a_word(out: Path, faults: Faults) -> None:
    edit(out / "adapter_config.json", base_model_name_or_path="/workspace/model")
    (fault,) = faults(out)
    assert fault.startswith("it was trained on '/workspace/model', which is not here")
    assert faults(out, same_base=True) == []


def test_a_copy_of_the_base_is_the_base(out: Path, faults: Faults, project: Path) -> None:
    shutil.copytree((project / "base").resolve(), project / "copy")
    edit(out / "adapter_config.json", base_model_name_or_path=str(project / "copy"))
    assert faults(out) == []


def test_other_settings_are_another_run(out: Path, faults: Faults) -> None:
    assert faults(out, r=8) == ["adapter_config.json: r is 16, the run's is 8"]
    assert faults(out, alpha=8) == ["adapter_config.json: lora_alpha is 32, the run's is 8"]
    dropout = "adapter_config.json: lora_dropout is 0.05, the run's is 0.0"
    assert faults(out, dropout=0.0) == [dropout]
    (fault,) = faults(out, targets=["q_proj"])
    assert fault.endswith("lora_A.weight has no place in the base")


@pytest.mark.parametrize(
    "field",
    [
        *(
            {"use_dora": True},
            {"use_rslora": True},
            {"bias": "all"},
            {"rank_pattern": {"q": 4}},
        ),
        *({"modules_to_save": ["lm_head"]}, {"init_lora_weights": "pissa"}, {"new_field": 1}),
    ],
)
def test_every_field_that_changes_the_adapter_is_compared(
    out: Path, faults: Faults, field: dict[str, Any]
) -> None:
    edit(out / "adapter_config.json", **field)
    ((key, value),) = field.items()
    (fault,) = faults(out)
    assert fault.startswith(f"adapter_config.json: {key} is {value!r}, the run's is ")


def test_layers_that_the_run_adapts_may_not_be_missing(out: Path, faults: Faults) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(out / ADAPTER_WEIGHTS)
    del tensors["base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"]
    save_file(tensors, out / ADAPTER_WEIGHTS)
    (fault,) = faults(out)
    assert "layers.0.mlp.down_proj.lora_A.weight is missing, which the run's targets adapt" in fault


def test_weights_must_fit_the_base(out: Path, faults: Faults, project: Path) -> None:
    wide = make_base(project / "wide", hidden=128)
    fitting = json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"]
    adapter(wide, project / "wider")
    edit(project / "wider/adapter_config.json", base_model_name_or_path=fitting)
    (fault,) = faults(project / "wider")
    assert fault.endswith("lora_A.weight has no place in the base")


def test_weights_must_be_numbers(out: Path, faults: Faults) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(out / ADAPTER_WEIGHTS)
    next(iter(tensors.values()))[0, 0] = float("nan")
    save_file(tensors, out / ADAPTER_WEIGHTS)
    (fault,) = faults(out)
    assert fault.endswith("holds what is no number")


def test_another_chat_template_is_refused(out: Path, faults: Faults, project: Path) -> None:
    other = make_base(project / "other", template=CHATML.replace("\n{% endfor", "{% endfor"))
    for path in other.glob("*token*"):
        shutil.copy(path, out / path.name)
    shutil.copy(other / "chat_template.jinja", out)
    (fault,) = faults(out)
    assert fault.startswith("it was trained with another chat template than the base's: from char")


def test_a_whole_model_is_for_a_run_that_trains_all(
    out: Path, faults: Faults, project: Path, base: Path
) -> None:
    said = {"method": "full", "learning_rate": 1e-3}
    assert faults(base, **said) == []
    (fault,) = faults(out.parent, **said)
    assert fault.endswith("holds no weights (*.safetensors), and the run trains all of them")
    wide = make_base(project / "wide", hidden=128)
    assert faults(wide, **said) == ["config.json: hidden_size is 128, the base's is 64"]
