"""Another trainer, as far from ours as may be: peft and ten lines of PyTorch, on an export."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tiny_llama import ticket, write

from tunegate.gates import training_process
from tunegate.interfaces.trainer import Plan
from tunegate.storage.state_dir import Run, StateDir, run_id
from tunegate_qlora.trainer import QLoRATrainer


def open_gate(root: Path, tested: bool = True, **said: Any) -> Run:
    """Leave in a project what an open gate leaves: snapshots, an intent, a sealed receipt."""
    state, trainer = StateDir(root), QLoRATrainer()
    numbers = {"train": range(24), "validation": range(24, 30), "test": range(30, 36)}
    if not tested:
        del numbers["test"]
    kept = {
        split: state.store_snapshot(
            write(root / f"{split}.jsonl", [ticket(i, split) for i in n]).read_bytes()
        )
        for split, n in numbers.items()
    }
    config = trainer.resolve({"base": "base", "max_new_tokens": 12} | said, root)
    plan = Plan(
        trainer="qlora",
        train=kept["train"],
        validation=kept["validation"],
        test=kept.get("test"),
        config=config,
        base=trainer.baseline(config),
        base_digest=trainer.base_digest(config, root),
        seed=0,
    )
    run = Run(state, run_id(plan))
    run.write_intent(plan, [])
    data = {split: {"path": f"{split}.jsonl", "digest": path.stem} for split, path in kept.items()}
    state.write_sealed(run.folder / "receipt.json", {"run": run.id, "data": data})
    return run


def finished(root: Path, **said: Any) -> Run:
    """Train behind an open gate, as `python -m tunegate.gates.training_process` does."""
    hasty = {"epochs": 20, "batch": 4, "learning_rate": 5e-3, "max_length": 128}
    (root / "tunegate.toml").touch()
    run = open_gate(root, **hasty | said)
    assert training_process.main(run.folder) == 0
    return Run(run.state, run.id)


def adapter(
    base: Path, folder: Path, data: Path | None = None, steps: int = 0, **said: Any
) -> Path:
    """Write an adapter on the base; with `data`, trained on its rows for so many steps."""
    import peft as typed
    import torch
    from transformers import AutoModelForCausalLM

    peft: Any = typed
    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    config = {
        "r": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.05,
        "target_modules": "all-linear",
    } | said
    tuned = peft.get_peft_model(model, peft.LoraConfig(**{"target_modules": "all-linear"} | config))
    if data is not None:
        learn(tuned.eval(), data, steps)  # without dropout: so few steps must be enough
    tuned.save_pretrained(folder)
    return folder


def learn(model: Any, data: Path, steps: int) -> None:
    """Teach a model the labels of exported rows, all of them in each step."""
    import torch

    rows = [json.loads(line) for line in data.read_text().splitlines()]
    ids, labels = [row["input_ids"] for row in rows], [row["labels"] for row in rows]
    width = max(map(len, ids))
    told = torch.tensor([i + [0] * (width - len(i)) for i in ids])
    wanted = torch.tensor([i + [-100] * (width - len(i)) for i in labels])
    mask = torch.tensor([[1] * len(i) + [0] * (width - len(i)) for i in ids])
    optimiser = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-2)
    for _ in range(steps):
        loss = model(input_ids=told, attention_mask=mask, labels=wanted).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def sha(path: Path) -> str:
    """Return a file's sha256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
