"""Architectures as they come: made small they load in 4 bits, and their layers have a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny_copy import tiny_copy

from tunegate_qlora.config import Decoding
from tunegate_qlora.model import weights

hf: Any = transformers


@pytest.mark.parametrize("kind", ["Qwen3", "GPT2", "Falcon", "Qwen3Moe", "Qwen3Next"])
def test_architectures_are_made_small_and_still_compute(tmp_path: Path, kind: str) -> None:
    said = {"vocab_size": 300, "num_hidden_layers": 8}
    root = tmp_path / "base"
    getattr(hf, f"{kind}Config")(**said).save_pretrained(root)
    (root / "model.safetensors").write_bytes(b"of any size")
    small = tiny_copy(root, tmp_path / "small")
    model = weights.load_base(small, Decoding())
    assert type(model).__name__ in (f"{kind}ForCausalLM", f"{kind}LMHeadModel")
    assert sum(p.numel() for p in model.parameters()) < 10_000_000
    assert torch.isfinite(model(input_ids=torch.tensor([[1, 2, 3]])).logits).all()


def test_the_decoder_layer_is_the_base_s_own(base: Path) -> None:
    assert weights.read_architecture(base).decoder_layer == "LlamaDecoderLayer"


def test_an_architecture_that_nobody_knows_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "none such"}')
    with pytest.raises(ValueError, match="holds no causal language model: "):
        weights.describe_architecture(tmp_path)
