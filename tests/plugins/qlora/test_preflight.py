from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from tiny_llama import CHATML, make_base, ticket, write

from tunegate.config.schema import parse_settings
from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow, encode_example
from tunegate.utils import optional_deps
from tunegate_qlora import preflight
from tunegate_qlora.config import Settings
from tunegate_qlora.model import weights
from tunegate_qlora.trainer import QLoRATrainer

Planner = Callable[..., Plan]
GB = 10**9


def told(plan: Plan) -> list[str]:
    return [problem.what for problem in QLoRATrainer().preflight(plan)]


def test_a_plan_that_can_be_trained_has_no_problems(plan: Planner) -> None:
    assert told(plan()) == []


def test_rows_that_cannot_be_trained_on_are_named(plan: Planner, project: Path) -> None:
    rows = [ticket(0)] + [{"messages": ticket(i)["messages"][:-1]} for i in range(5)]
    write(project / ".tunegate/snapshots/train.jsonl", rows)
    assert told(plan()) == [
        "train: line 2: no assistant message to train on",
        "train: line 3: no assistant message to train on",
        "train: line 4: no assistant message to train on",
        "train: 2 more rows cannot be trained on",
    ]


def test_rows_that_are_too_long_are_counted(plan: Planner) -> None:
    train, validation = told(plan(max_length=70))
    assert train.startswith("train: 15 of 24 rows are longer than 70 tokens")
    assert validation.startswith("validation: 2 of 6 rows")
    assert told(plan(max_length=70, on_overflow="drop")) == []
    assert told(plan(max_length=5, on_overflow="drop"))[0] == (
        "train: `on_overflow` drops all 24 rows: raise `max_length`"
    )


def test_a_base_that_is_gone_is_named(plan: Planner, project: Path) -> None:
    made = plan()
    (project / "base").unlink()
    (problem,) = told(made)
    assert problem.startswith("base = 'base': there is no folder")


def test_a_base_without_weights_is_named(plan: Planner, project: Path) -> None:
    (project / "base").unlink()
    bare = make_base(project / "base")
    (bare / "model.safetensors").unlink()
    assert told(plan()) == [f"{bare} holds no weights (*.safetensors)"]


def test_a_template_that_asks_otherwise_than_it_trains_is_named(
    plan: Planner, project: Path
) -> None:
    (project / "base").unlink()
    make_base(project / "base", template=CHATML.replace("assistant\n{% endif", "robot\n{% endif"))
    assert "what the model is asked is not how the trained text begins" in told(plan())[0]


def test_a_base_without_a_template_is_named(plan: Planner, project: Path) -> None:
    (project / "base").unlink()
    make_base(project / "base", template="")
    (problem,) = told(plan())
    assert "has no chat template" in problem
    assert "\n" not in problem


def test_layers_that_bitsandbytes_gets_wrong_on_a_cpu_are_named(
    plan: Planner, project: Path
) -> None:
    (project / "base").unlink()
    make_base(project / "base", hidden=96)
    (problem,) = told(plan())
    assert problem.startswith(
        "linear layers with 96 inputs: on a CPU, bitsandbytes needs multiples"
    )
    assert told(plan(quantisation="none")) == []


def test_targets_that_no_layer_has_are_named(plan: Planner) -> None:
    (problem,) = told(plan(targets=["q_proj", "query"]))
    assert problem == (
        "targets: no layer is called 'query'; there are "
        "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"
    )


@pytest.mark.parametrize("attention", ["", "sdpa", "eager", "flash_attention_3"])
def test_rows_are_packed_for_flash_attention_alone(plan: Planner, attention: str) -> None:
    packing = plan(packing=True, attention=attention)
    assert told(packing) == []
    assert Settings.model_validate(packing.config).packed == ("flash" in attention)


@pytest.mark.parametrize("attention", ["flash_attention_3", "kernels-community/flash-attn2"])
def test_packing_needs_a_base_without_a_state(
    plan: Planner, monkeypatch: pytest.MonkeyPatch, attention: str
) -> None:
    packed = plan(packing=True, attention=attention)
    assert told(packed) == []
    monkeypatch.setattr(transformers.LlamaForCausalLM, "_is_stateful", True)
    assert told(packed) == [
        "packing: a LlamaForCausalLM carries a state from row to row; set packing = false"
    ]


def test_a_disk_that_is_too_small_is_named(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    (problem,) = told(plan())
    assert problem.startswith("checkpoints need 1.4 MB, the disk has 0.0 MB free: make room, or")


def test_a_missing_extra_is_one_line(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    made, real = plan(), importlib.util.find_spec

    def absent(name: str) -> Any:
        return None if name in ("peft", "bitsandbytes") else real(name)

    monkeypatch.setattr(optional_deps, "find_spec", absent)
    assert told(made) == ["qlora needs peft, bitsandbytes: pip install 'tunegate[qlora]'"]


def test_a_plan_without_rows_is_named(plan: Planner, project: Path) -> None:
    write(project / ".tunegate/snapshots/train.jsonl", [])
    assert told(replace(plan(), validation=None)) == ["train: no rows"]


def test_the_base_lies_where_the_project_does_and_not_above_the_data(
    plan: Planner, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    snapshots = {s: write(elsewhere / f"{s}.jsonl", [ticket(0)]) for s in ("train", "validation")}
    assert told(replace(plan(), **snapshots)) == []
    (missing,) = told(replace(plan(), root=elsewhere))
    assert missing.startswith(f"base = 'base': there is no folder {elsewhere / 'base'}")


def test_processes_on_a_cpu_are_for_trying_out(
    plan: Planner, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(plan(processes=2, sharding="fsdp")) == []
    out = capsys.readouterr().out
    assert "processes 2, 8 rows a step, the model shared out (fsdp)\n" in out
    assert " free, for each process\n" in out


def test_more_processes_than_gpus_or_batches_are_problems(
    plan: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    gpus, batches = told(plan(processes=7))
    assert gpus == "processes = 7: this machine has 1 GPU, and every process wants its own"
    assert batches == (
        "24 rows in batches of 4 make 6 an epoch, fewer than the 7 processes: lower `batch` or "
        "`processes`"
    )
    assert told(plan(processes=1)) == []


def test_a_base_without_known_layers_cannot_be_shared_out(
    plan: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "decoder_layer_class", lambda _: "")
    (problem,) = told(plan(processes=2, sharding="fsdp"))
    assert problem.startswith("sharding = 'fsdp' shares out a model by its decoder layers")


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
    found = preflight.estimate_memory(weights.read_architecture(base), settings, rows)
    model = weights.load_trainable(base, settings)
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
        outline = weights.read_architecture(base)
        return preflight.estimate_memory(outline, settings, rows).activations

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
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "vocab_size": 1000}
    configs = (
        transformers.LlamaConfig(**sizes, num_attention_heads=4),
        transformers.GPT2Config(n_embd=16, n_layer=3, n_head=4, vocab_size=1000),
        transformers.Gemma3Config(text_config=sizes),  # with vision
    )
    rows = [
        EncodedRow(1, [5] * 9, [IGNORE_INDEX] * 7 + [5] * 2),
        EncodedRow(2, [5] * 6, [IGNORE_INDEX] * 2 + [5] * 4),
    ]
    settings = parse_settings(Settings, plan(**{"batch": 2, "method": "lora", **said}).config)
    outline = weights.read_architecture(base)
    outline.trainable_parameters(settings)  # of what the base is
    for config in configs:
        outline = replace(outline, model=SimpleNamespace(config=config))
        found = preflight.estimate_memory(outline, settings, rows, gpu=gpu)
        assert found.activations == 2 * 9 * 16 * layers + 2 * 4 * 2 * 8 * 1000
        assert found.total == found.weights + found.trained + found.activations
    assert preflight.estimate_memory(outline, settings, [], gpu=gpu).activations == 0
    outline = replace(outline, model=SimpleNamespace(config=transformers.PretrainedConfig()))
    assert preflight.estimate_memory(outline, settings, rows, gpu=gpu).activations == 0


@pytest.mark.parametrize(
    ("size", "text"), [(1e9, "1.0 GB"), (0.9e9, "900.0 MB"), (24.06e9, "24.1 GB"), (0, "0.0 MB")]
)
def test_bytes_are_shown_in_mb_below_a_gb(size: float, text: str) -> None:
    assert preflight.format_bytes(size) == text


def test_what_fits_is_told_and_what_may_not_is_a_warning(
    plan: Planner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "free_memory", lambda: 8 * GB)
    assert QLoRATrainer().preflight(plan()) == []
    out = capsys.readouterr().out
    assert out.startswith("memory    about 4.")
    assert out.endswith("\n          8.0 GB free\n")
    assert max(map(len, out.splitlines())) <= 80
    monkeypatch.setattr(preflight, "free_memory", lambda: 10**6)
    trainer = QLoRATrainer()
    assert trainer.preflight(plan()) == []
    out = capsys.readouterr().out
    assert "memory    without gradient checkpointing 4." in out
    assert "that may not fit: a lower batch" in out
    assert trainer.checkpointing
    monkeypatch.setattr(preflight, "free_memory", lambda: 8 * GB)
    trainer.preflight(plan())
    assert not trainer.checkpointing


def test_reports_and_optimisers_that_are_not_there_are_named(plan: Planner) -> None:
    assert told(plan(report_to=["nowhere"], optimiser="paged_adamw_8bit")) == [
        'optimiser = "paged_adamw_8bit" needs a GPU: set "adamw"',
        "report_to: 'nowhere' is not installed, or transformers does not know it",
    ]


def test_eight_billion_parameters_in_four_bits_fit_a_card_of_24_gb(
    plan: Planner, tmp_path: Path
) -> None:
    """Llama 3.1 8B with the default settings and rows of 1,024 tokens.

    LLaMA-Factory's table of hardware has 6 GB for 7B in 4 bits, with the smallest batch.
    """
    from transformers import LlamaConfig

    wide = {"hidden_size": 4096, "intermediate_size": 14336, "num_key_value_heads": 8}
    LlamaConfig(**wide, num_hidden_layers=32, vocab_size=128256).save_pretrained(tmp_path)
    outline = weights.describe_architecture(tmp_path)
    rows = [EncodedRow(1, [5] * 1024, [IGNORE_INDEX] * 512 + [5] * 512)]
    plain = {"batch": 8, "gradient_checkpointing": True}
    settings = parse_settings(Settings, plan(**plain).config)
    found = preflight.estimate_memory(outline, settings, rows, gpu=True)
    assert 5 * GB < found.weights < 9 * GB
    assert 16 * GB < found.total < 24 * GB


def test_weights_that_do_not_fit_are_a_problem(
    plan: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "free_memory", lambda: 1000)
    for method, hint in (("qlora", ""), ("lora", ', or method = "qlora"')):
        (problem,) = QLoRATrainer().preflight(plan(method=method))
        assert problem.what.startswith("the base's weights alone need 0.")
        assert problem.what.endswith(f"and 0.0 MB are free: take a smaller base{hint}")


def test_a_container_s_limit_counts(tmp_path: Path) -> None:
    assert preflight.container_free_memory(tmp_path) == []
    (tmp_path / "memory.current").write_text("300\n")
    for most, left in (("1000\n", [700]), ("max\n", []), ("200\n", [0])):
        (tmp_path / "memory.max").write_text(most)
        assert preflight.container_free_memory(tmp_path) == left


def test_free_memory_is_that_of_this_machine() -> None:
    assert 0 < preflight.free_memory() < 100_000 * GB


def test_only_the_chosen_layers_get_an_adapter(base: Path, plan: Planner) -> None:
    outline = weights.read_architecture(base)
    settings = parse_settings(Settings, plan(targets=["q_proj", "v_proj"]).config)
    assert outline.trainable_parameters(settings) == 2 * 2 * 16 * (64 + 64)


def test_of_a_model_that_is_shared_out_each_holds_a_part(plan: Planner) -> None:
    whole = preflight.MemoryEstimate(weights=40.0, trained=8.0, activations=2.0)
    shared = parse_settings(Settings, plan(processes=4, sharding="fsdp").config)
    assert whole.per_process(shared) == preflight.MemoryEstimate(10.0, 2.0, 2.0)
    assert whole.per_process(parse_settings(Settings, plan(processes=4).config)) == whole
