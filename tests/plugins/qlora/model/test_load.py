"""bitsandbytes repacks 4-bit weights in place during evaluation: what our loading must prevent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit, has_avx512bf16
from bitsandbytes.nn import Linear4bit
from peft.tuners.lora import LoraLayer

from tunegate_qlora.config import Decoding, Settings
from tunegate_qlora.model.weights import load_base, load_trainable, load_tuned

# What transformers says of its own names, and torch of the kernel that the workaround avoids.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*an autograd kernel")

SETTINGS = Settings(base="base", dropout=0.0)
IDS = torch.arange(40).reshape(2, 20) % 200


def tuned(base: Path, *, repack: bool = False) -> Any:
    torch.manual_seed(0)
    model = load_trainable(base, SETTINGS)
    for layer in model.modules():
        if repack and isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = True
    return model


def steps(model: Any, *, evaluate: bool) -> list[torch.Tensor]:
    """Train two steps, with an evaluation between them or not; return the adapter's weights."""
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(weights, lr=0.5)
    for _ in range(2):
        model.train()
        model(input_ids=IDS, labels=IDS).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if evaluate:
            _loss(model)
    return [p.detach().clone() for p in weights]


@torch.no_grad()
def _loss(model: Any) -> float:
    model.eval()
    return float(model(input_ids=IDS, labels=IDS).loss)


def test_linear_layers_are_in_nf4_with_double_quantisation(base: Path) -> None:
    model = load_base(base, Decoding())
    layers = [m for m in model.modules() if isinstance(m, Linear4bit)]
    assert len(layers) == 14  # seven in each of two layers; the output head is tied, and is not
    for layer in layers:
        assert layer.weight.quant_state.quant_type == "nf4"
        assert layer.weight.quant_state.nested
        assert layer.compute_dtype == torch.bfloat16
        assert not layer.support_avx512bf16_for_cpu


def test_an_adapter_is_put_around_the_layers_that_were_loaded(base: Path, tmp_path: Path) -> None:
    model = load_trainable(base, SETTINGS)
    model.save_pretrained(tmp_path)
    for adapted in (model, load_tuned(base, tmp_path, Decoding())):
        layers = [m for m in adapted.modules() if isinstance(m, Linear4bit)]
        assert len(layers) == 14
        assert not any(layer.support_avx512bf16_for_cpu for layer in layers)


def test_quantisation_can_be_left_out(base: Path) -> None:
    model = load_base(base, Decoding(quantisation="none", compute="float32"))
    assert not any(isinstance(m, Linear4bit) for m in model.modules())
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_an_evaluation_between_two_steps_changes_no_bit(base: Path) -> None:
    without, with_one = (steps(tuned(base), evaluate=e) for e in (False, True))
    assert all(torch.equal(a, b) for a, b in zip(without, with_one, strict=True))


@pytest.mark.skipif(not has_avx512bf16(), reason="this CPU has no AVX512-BF16: nothing is repacked")
def test_without_the_workaround_an_evaluation_takes_gradients_away(base: Path) -> None:
    sound = steps(tuned(base, repack=True), evaluate=False)
    spoilt = steps(tuned(base, repack=True), evaluate=True)
    assert not all(torch.equal(a, b) for a, b in zip(sound, spoilt, strict=True))


# peft's merge_and_unload rounds the sum to 4 bits again, which costs what a small adapter gains;
# merging into full weights shows whether the 4-bit weights are still what they were. The two
# compute in float32 and in bfloat16 (8 bits of mantissa): 1 % of the loss is the tolerance.
TOLERANCE = 0.01


def test_a_merged_model_has_the_loss_of_its_adapter(base: Path) -> None:
    model = tuned(base)
    untrained = _loss(model)
    steps(model, evaluate=True)
    trained = _loss(model)
    assert trained < 0.9 * untrained  # otherwise a merge that lost the adapter would pass
    assert abs(_loss(_merged(model)) - trained) < TOLERANCE * trained


@pytest.mark.skipif(not has_avx512bf16(), reason="this CPU has no AVX512-BF16: nothing is repacked")
def test_without_the_workaround_a_merge_writes_garbage(base: Path) -> None:
    model = tuned(base, repack=True)
    steps(model, evaluate=True)
    trained = _loss(model)
    assert abs(_loss(_merged(model)) - trained) > 10 * TOLERANCE * trained


def _merged(model: Any) -> Any:
    """Return the base with full weights: 4-bit weight, made dense, plus the adapter's product."""
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, LoraLayer):
                weight = layer.get_base_layer().weight
                dense = dequantize_4bit(weight.data, weight.quant_state).float()
                full = torch.nn.Linear(layer.in_features, layer.out_features, bias=False)
                full.weight.data = dense + layer.get_delta_weight("default")
                setattr(parent, name, full)
    return model
