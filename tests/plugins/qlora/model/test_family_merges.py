"""Families as they come: the adapter learns, is read back as it was, and merges into its base."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tunegate.tokenization.chat_template import load_template
from tunegate_qlora.config import Settings, resolve_settings
from tunegate_qlora.model import weights
from tunegate_qlora.model.folders import metadata_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
hf: Any = transformers
SIZES = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.1,
    "vocab_size": 259, "eos_token_id": 2, "pad_token_id": 0, "bos_token_id": None,
}  # fmt: skip
IDS = torch.arange(40).reshape(2, 20) % 200


def gemma3() -> Any:
    vision = hf.SiglipVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4,
        image_size=28, patch_size=14,
    )  # fmt: skip
    text = hf.Gemma3TextConfig(**SIZES, head_dim=16, sliding_window=64)
    return hf.Gemma3ForConditionalGeneration(
        hf.Gemma3Config(
            text_config=text, vision_config=vision, mm_tokens_per_image=4, image_token_index=5
        )
    )


def gpt2() -> Any:
    kept = ("vocab_size", "eos_token_id", "pad_token_id", "bos_token_id", "initializer_range")
    sizes = {key: SIZES[key] for key in kept}
    return hf.GPT2LMHeadModel(
        hf.GPT2Config(n_positions=256, n_embd=64, n_layer=2, n_head=4, **sizes)
    )


FAMILIES: dict[str, Callable[[], Any]] = {
    "Mixtral": lambda: hf.MixtralForCausalLM(
        hf.MixtralConfig(**SIZES, num_local_experts=4, num_experts_per_tok=2)
    ),
    "Qwen3-MoE": lambda: hf.Qwen3MoeForCausalLM(
        hf.Qwen3MoeConfig(
            **SIZES, head_dim=16, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=64
        )
    ),
    "Falcon-H1": lambda: hf.FalconH1ForCausalLM(
        hf.FalconH1Config(
            **SIZES,
            mamba_d_ssm=64,
            mamba_n_heads=4,
            mamba_d_head=16,
            mamba_d_state=16,
            mamba_n_groups=1,
        )
    ),
    "Gemma 3 with vision": gemma3,
    "GPT-2": gpt2,
}


@pytest.fixture
def own(base: Path, tmp_path: Path) -> Path:
    """A copy of the base, whose weights a test replaces."""
    return Path(shutil.copytree(base, tmp_path / "own"))


@torch.no_grad()
def loss(model: Any) -> float:
    return float(model.eval()(input_ids=IDS, labels=IDS).loss)


def check(folder: Path, settings: Settings, out: Path) -> None:
    """Train a few steps, and compare the losses in memory, read back, and merged."""
    outline = weights.read_architecture(folder, settings)
    torch.manual_seed(0)
    model = weights.load_trainable(folder, settings)
    assert outline.trainable_parameters(settings) == weights.count_parameters(model)[0]
    before, optimiser = loss(model), torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], lr=1e-2
    )  # fmt: skip
    for _ in range(5):
        model.train()(input_ids=IDS, labels=IDS).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    trained, tuned = loss(model), out / "adapter"
    assert trained < 0.9 * before
    tuned.mkdir(parents=True)
    described = metadata_of(settings, folder, load_template(folder))
    weights.save_trained(model, tuned, folder, settings, described)
    assert loss(weights.load_tuned(folder, tuned, settings.decoding)) == pytest.approx(trained)
    weights.merge_adapter(tuned, folder, settings, out / "merged")
    whole = settings.decoding.model_copy(update={"quantisation": "none"})
    merged = loss(weights.load_base(out / "merged", whole))
    assert merged == pytest.approx(trained, rel=0.02)  # its weights are in bfloat16


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_trained_and_merged(own: Path, tmp_path: Path, family: str) -> None:
    torch.manual_seed(0)
    FAMILIES[family]().to(torch.bfloat16).save_pretrained(own)
    said = {"base": "own", "compute": "float32", "dropout": 0.0}
    check(own, resolve_settings(said), tmp_path / "out")


def test_a_base_in_4_bits_is_trained_and_merged(own: Path, tmp_path: Path) -> None:
    quantisation = hf.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )  # fmt: skip
    model = hf.AutoModelForCausalLM.from_pretrained(own, quantization_config=quantisation)
    (own / "model.safetensors").unlink()
    model.save_pretrained(own)
    said = {"base": "own", "compute": "float32", "dropout": 0.0}
    check(own, resolve_settings(said), tmp_path / "out")
