from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tunegate.config.settings import parse_settings
from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow, encode_example
from tunegate_qlora.config import Settings
from tunegate_qlora.model import architecture, methods
from tunegate_qlora.model import base as bases
from tunegate_qlora.preflight import memory
from tunegate_qlora.trainer import QLoRATrainer

Planner = Callable[..., Plan]
GB = 10**9


@pytest.fixture
def rows(template: Any, plan: Planner) -> list[EncodedRow]:
    """The rows of the plan's training set."""
    return [encode_example(example, template) for example in Dataset.read(plan().train)]


def held(model: Any) -> int:
    """Return the bytes of a model's weights, the scales of quantised ones among them."""
    total = 0
    for p in model.parameters():
        total += p.numel() * p.element_size()
        state = getattr(p, "quant_state", None)
        if state is not None:
            total += state.absmax.numel() + 4 * state.state2.absmax.numel()
    return total


@pytest.mark.parametrize("said", [{"method": "qlora"}, {"method": "lora"}, {"method": "full"}])
def test_weights_and_training_are_what_a_loaded_model_holds(
    base: Path, rows: list[EncodedRow], plan: Planner, said: dict[str, Any]
) -> None:
    settings = parse_settings(Settings, plan(**said).config)
    found = memory.estimate_memory(
        architecture.read_architecture(base), settings, rows, bases.read_config(base)
    )
    model = methods.load_trainable(base, settings)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained)
    for p in trained:
        p.grad = torch.zeros_like(p)
    optimiser.step()
    moments = [t for state in optimiser.state.values() for t in state.values() if t.dim()]
    more = sum(t.numel() * t.element_size() for t in [*moments, *(p.grad for p in trained)])  # type: ignore[union-attr]
    assert found.weights + found.trained == pytest.approx(held(model) + more, rel=0.005)


def test_activations_grow_with_batch_and_length_and_shrink_with_checkpointing(
    base: Path, rows: list[EncodedRow], plan: Planner
) -> None:
    def activations(rows: list[EncodedRow], **said: Any) -> float:
        settings = parse_settings(Settings, plan(**said).config)
        return memory.estimate_memory(
            architecture.read_architecture(base), settings, rows, bases.read_config(base)
        ).activations

    once = activations(rows, batch=4)
    assert activations(rows, batch=8) > 1.9 * once
    assert activations(rows, batch=4, gradient_checkpointing=True) < once
    short = [row for row in rows if len(row.ids) < 66]
    assert 0 < activations(short, batch=4) < once


@pytest.mark.parametrize(
    ("said", "gpu", "layers"),
    [
        ({}, True, 34 * 3),
        ({"gradient_checkpointing": True}, True, 2 * 3 + 34),
        ({}, False, 2 * 34 * 3),
        ({"compute": "float32"}, True, 2 * 34 * 3),
        ({"method": "full"}, True, 2 * 34 * 3),
    ],
)
def test_activations_are_those_of_the_formula(
    base: Path, plan: Planner, said: dict[str, Any], gpu: bool, layers: int
) -> None:
    """Two rows of at most 9 tokens, of which at most 4 are trained on."""
    config = {"hidden_size": 16, "num_hidden_layers": 3, "vocab_size": 1000}
    rows = [
        EncodedRow(1, [5] * 9, [IGNORE_INDEX] * 7 + [5] * 2),
        EncodedRow(2, [5] * 6, [IGNORE_INDEX] * 2 + [5] * 4),
    ]
    settings = parse_settings(Settings, plan(**{"batch": 2, "method": "lora", **said}).config)
    outline = architecture.read_architecture(base)
    for fields in (config, {"text_config": config, "hidden_size": 99}):
        found = memory.estimate_memory(outline, settings, rows, fields, gpu=gpu)
        assert found.activations == 2 * 9 * 16 * layers + 2 * 4 * 2 * 8 * 1000
        assert found.total == found.weights + found.trained + found.activations
    assert memory.estimate_memory(outline, settings, [], config, gpu=gpu).activations == 0
    assert memory.estimate_memory(outline, settings, rows, {}, gpu=gpu).activations == 0


@pytest.mark.parametrize(
    ("size", "text"), [(1e9, "1.0 GB"), (0.9e9, "900.0 MB"), (24.06e9, "24.1 GB"), (0, "0.0 MB")]
)
def test_bytes_are_shown_in_mb_below_a_gb(size: float, text: str) -> None:
    assert memory.format_bytes(size) == text


def test_what_fits_is_told_and_what_may_not_is_a_warning(
    plan: Planner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)  # which says nothing of bfloat16
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * GB)
    assert QLoRATrainer().preflight(plan()) == []
    out = capsys.readouterr().out
    assert out.startswith("memory    about 4.")
    assert out.endswith("\n          8.0 GB free\n")
    assert max(map(len, out.splitlines())) <= 80
    monkeypatch.setattr(memory, "free_memory", lambda: 10**6)
    assert QLoRATrainer().preflight(plan()) == []
    assert "that may not fit: a lower batch" in capsys.readouterr().out


def test_weights_that_do_not_fit_are_a_problem(
    plan: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    for method, hint in (("qlora", ""), ("lora", ', or method = "qlora"')):
        (problem,) = QLoRATrainer().preflight(plan(method=method))
        assert problem.what.startswith("the base's weights alone need 0.")
        assert problem.what.endswith(f"and 0.0 MB are free: take a smaller base{hint}")


def test_a_container_s_limit_counts(tmp_path: Path) -> None:
    assert memory.container_free_memory(tmp_path) == []
    (tmp_path / "memory.current").write_text("300\n")
    for most, left in (("1000\n", [700]), ("max\n", []), ("200\n", [0])):
        (tmp_path / "memory.max").write_text(most)
        assert memory.container_free_memory(tmp_path) == left


def test_free_memory_is_that_of_this_machine() -> None:
    assert 0 < memory.free_memory() < 100_000 * GB


def test_only_the_chosen_layers_get_an_adapter(base: Path, plan: Planner) -> None:
    outline = architecture.read_architecture(base)
    settings = parse_settings(Settings, plan(targets=["q_proj", "v_proj"]).config)
    assert outline.trainable_parameters(settings) == 2 * 2 * 16 * (64 + 64)


def test_of_a_model_that_is_shared_out_each_holds_a_part(plan: Planner) -> None:
    whole = memory.MemoryEstimate(weights=40.0, trained=8.0, activations=2.0)
    shared = parse_settings(Settings, plan(processes=4, sharding="fsdp").config)
    assert whole.per_process(shared) == memory.MemoryEstimate(10.0, 2.0, 2.0)
    assert whole.per_process(parse_settings(Settings, plan(processes=4).config)) == whole


@pytest.mark.parametrize(
    ("capabilities", "compute", "warned"),
    [
        ({"avx512_bf16": False, "amx_bf16": False}, "bfloat16", True),
        ({"avx512_bf16": True, "amx_bf16": False}, "bfloat16", False),
        ({"avx512_bf16": False, "amx_bf16": False}, "float32", False),
        ({}, "bfloat16", False),  # an Arm CPU
    ],
)
def test_a_cpu_without_bfloat16_instructions_is_pointed_out(
    capabilities: dict[str, bool],
    compute: str,
    warned: bool,
    plan: Planner,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr("tunegate_qlora.preflight.checks.local_device", lambda: "cpu")
    assert QLoRATrainer().preflight(plan(compute=compute)) == []
    assert ('compute = "float32" trains several times faster' in capsys.readouterr().out) is warned
