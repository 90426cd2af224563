"""A base made small keeps its architecture, whatever that is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny_llama import ticket, write

from tunegate.protocols import Plan
from tunegate_qlora import quantise, rehearsal
from tunegate_qlora.config import Decoding
from tunegate_qlora.trainer import QLoRA

hf: Any = transformers


@pytest.mark.parametrize("kind", ["Qwen3", "GPT2", "Falcon", "Qwen3Moe", "Qwen3Next"])
def test_architectures_are_made_small_and_still_compute(tmp_path: Path, kind: str) -> None:
    said = {"vocab_size": 300, "num_hidden_layers": 8}
    root = tmp_path / "base"
    getattr(hf, f"{kind}Config")(**said).save_pretrained(root)
    (root / "model.safetensors").write_bytes(b"of any size")
    small = rehearsal.shrunk(root, tmp_path / "small")
    model = quantise.load(small, Decoding())
    assert type(model).__name__ in (f"{kind}ForCausalLM", f"{kind}LMHeadModel")
    assert sum(p.numel() for p in model.parameters()) < 10_000_000
    assert torch.isfinite(model(input_ids=torch.tensor([[1, 2, 3]])).logits).all()


def test_an_architecture_that_cannot_be_made_small_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/config.json").write_text('{"model_type": "none such"}')
    with pytest.raises(ValueError, match=r"^base cannot be made small to rehearse: "):
        rehearsal.shrunk(tmp_path / "base", tmp_path / "small")


def test_the_shortest_rows_are_rehearsed_as_often_as_it_takes(
    project: Path, tmp_path: Path, base: Path
) -> None:
    bad = {"messages": ticket(0)["messages"][:-1]}
    data = write(project / "data.jsonl", [bad, ticket(3), ticket(0)])
    config = QLoRA().resolve({"base": "base", "processes": 3}, project)
    plan = Plan("qlora", data, None, None, config, "base", "", 0)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    small = rehearsal.planned(plan, scratch, base)
    rows = [json.loads(line) for line in small.train.read_text().splitlines()]
    assert len(rows) == 6  # two steps of three processes
    assert bad not in rows
    assert (small.config["processes"], small.config["batch"]) == (3, 1)
    assert small.config["method"] == "qlora"
