"""The table of families in docs/training.md is what peft attaches, on models without weights."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tunegate_qlora.config import Settings
from tunegate_qlora.model.weights import attach_adapter, auto_class

pytestmark = pytest.mark.filterwarnings("ignore")  # of peft and transformers, on their own names
hf: Any = transformers
DOCS = Path(__file__).parents[4] / "docs"
FAMILIES = {
    "Llama": "Llama", "Llama 4 (text)": "Llama4Text", "Mistral": "Mistral", "Mixtral": "Mixtral",
    "Qwen2, Qwen2.5": "Qwen2", "Qwen3": "Qwen3", "Qwen3-MoE": "Qwen3Moe", "Qwen3-Next": "Qwen3Next",
    "Qwen2.5-VL": "Qwen2_5_VL", "Gemma 2": "Gemma2", "Gemma 3 (text)": "Gemma3Text",
    "Gemma 3 with vision": "Gemma3", "Phi-3, Phi-4": "Phi3", "gpt-oss": "GptOss",
    "DeepSeek-V3": "DeepseekV3", "GLM-4": "Glm4", "Granite": "Granite", "SmolLM3": "SmolLM3",
    "Falcon-H1 (Mamba)": "FalconH1", "Jamba (Mamba)": "Jamba", "GPT-2": "GPT2",
}  # fmt: skip


def described(config_name: str) -> str:
    """Return the cells of a family: what is adapted, and which setting it needs."""
    config = getattr(hf, f"{config_name}Config")()
    for part in (config, getattr(config, "text_config", config)):
        part.num_hidden_layers = 2
        for key, few in {
            "num_experts": 4,
            "n_routed_experts": 8,
            "first_k_dense_replace": 1,
        }.items():
            if hasattr(part, key):
                setattr(part, key, few)
    with torch.device("meta"):
        model = auto_class(config).from_config(config)
    need = "none"
    try:
        attached = attach_adapter(deepcopy(model), Settings(base="b"))
    except ValueError as error:
        need = str(error).rpartition(": set ")[2]
        attached = attach_adapter(model, Settings(base="b", dropout=0.0))
    names = sorted(attached.targeted_module_names)
    assert names
    assert not any("vision" in name or "visual" in name for name in names)
    experts = bool(getattr(attached, "targeted_parameter_names", []))
    need = f"`{need}`" if need != "none" else need
    return f"{'linear layers and experts' if experts else 'linear layers'} | {need} |"


@pytest.mark.parametrize("doc", ["training.md", "training.pt-BR.md"])
def test_the_documented_families_are_there(doc: str) -> None:
    text = (DOCS / doc).read_text("utf-8")
    assert [f for f in FAMILIES if f"\n| {f} | " not in text] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_as_documented(family: str) -> None:
    row = f"| {family} | {described(FAMILIES[family])}"
    assert row in (DOCS / "training.md").read_text("utf-8"), row
