"""The training loop alone, in as many processes as there are: prints losses and weights as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from tiny_llama import ticket
from transformers import TrainerCallback, set_seed

from tunegate.dataset import Dataset
from tunegate.encode import encode
from tunegate_qlora import loss, methods, template
from tunegate_qlora.batches import collator
from tunegate_qlora.loop import Loop
from tunegate_qlora.presets import resolve


class Losses(TrainerCallback):
    """Remembers each step's loss."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if "loss" in kwargs["logs"]:
            self.seen.append(kwargs["logs"]["loss"])


def main(base: Path, out: Path, said: dict[str, Any]) -> None:
    settings = resolve({"base": str(base), "epochs": 2, "batch": 4, "dropout": 0.0, **said})
    torch.set_num_threads(1)
    set_seed(settings.seed)
    chat = template.load(base)
    rows = [encode(example, chat) for example in Dataset.of([ticket(i) for i in range(24)])]
    model = methods.prepared(base, settings)
    watcher = Losses()
    collate = collator(chat.pad, narrow=loss.narrows(methods.bare(model)))
    Loop(model, rows, settings, out / "checkpoints", collate, [watcher]).train()
    weights = [p.detach().sum().item() for p in model.parameters() if p.requires_grad]
    if os.environ.get("RANK", "0") == "0":
        (out / "told.json").write_text(json.dumps({"losses": watcher.seen, "weights": weights}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
