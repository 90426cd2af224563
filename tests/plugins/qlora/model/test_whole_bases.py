"""A base that is not whole, or that is quantised otherwise, is refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tunegate_qlora.config import Method, Settings
from tunegate_qlora.model.weights import read_architecture
from tunegate_qlora.preflight import token_problems

Tensors = dict[str, torch.Tensor]
DOWN = "model.layers.1.mlp.down_proj.weight"


@pytest.fixture
def own(base: Path, tmp_path: Path) -> Path:
    """A copy of the base that a test may change."""
    return Path(shutil.copytree(base, tmp_path / "own"))


def refused(folder: Path, method: Method = "lora") -> str:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        read_architecture(folder, Settings(base="base", method=method))
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: {k: v for k, v in w.items() if k != DOWN}, f": 1 missing tensors, {DOWN}"),
        (lambda w: w | {"model.layers.2.x": torch.ones(2)}, ": 1 unexpected tensors, model.lay"),
        (lambda w: w | {DOWN: torch.ones(3, 3)}, f": 1 mismatched tensors, {DOWN}"),
        (
            lambda w: {"model.norm.weight": w["model.norm.weight"]},
            ": 20 missing tensors, lm_head.weight, model.emb",
        ),
    ],
)
def test_tensors_are_those_of_the_model(
    own: Path, change: Callable[[Tensors], Tensors], told: str
) -> None:
    path = own / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})
    assert told in refused(own)


@pytest.mark.parametrize(
    ("saved", "method", "told"),
    [
        ({"quant_method": "gptq", "bits": 4}, "qlora", "saved quantised (gptq)"),
        ({"quant_method": "awq"}, "lora", "saved quantised (awq)"),
        ({"quant_method": "fp8"}, "full", "saved quantised (fp8)"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "qlora", "(bitsandbytes)"),
        ({"quant_method": "bitsandbytes", "bnb_4bit_quant_type": "nf4"}, "lora", "in 4 bits: set"),
    ],
)
def test_a_foreign_quantisation_is_named(
    own: Path, saved: dict[str, Any], method: Method, told: str
) -> None:
    path = own / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": saved}))
    assert told in refused(own, method)


def test_what_is_no_model_here_is_one_line(own: Path) -> None:
    (own / "model.safetensors").rename(own / "own-Q4_K_M.gguf")
    assert "holds no weights (*.safetensors), only own-Q4_K_M.gguf: the weights that" in refused(
        own
    )
    (own / "own-Q4_K_M.gguf").rename(own / "model.safetensors")
    table = json.loads((own / "config.json").read_text())
    foreign = table | {"model_type": "own", "auto_map": {"AutoConfig": "code.Config"}}
    (own / "config.json").write_text(json.dumps(foreign))
    (own / "code.py").write_text("raise SystemExit('it ran')\n")
    assert "it is code of its own (trust_remote_code), which is never run" in refused(own)
    (own / "config.json").write_text(json.dumps({"model_type": "siglip_vision_model"}))
    assert "holds no causal language model: a 'siglip_vision_model' model is none" in refused(own)


def test_tokens_without_an_embedding_are_named(own: Path, template: Any) -> None:
    from tunegate.tokenization.chat_template import load_template

    architecture, settings = read_architecture(own), Settings(base="base")
    assert list(token_problems(template, architecture, settings)) == []
    chat = load_template(own)
    chat.tokenizer.add_special_tokens({"additional_special_tokens": ["<|more|>", "<|less|>"]})
    (problem,) = token_problems(chat, architecture, settings)
    assert problem.startswith(
        "the tokenizer has 2 tokens that the base has no embedding for: <|les"
    )
