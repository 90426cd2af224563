"""A tiny random Llama with a byte-level tokenizer of its own, a few tickets, and plans on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tunegate.interfaces.trainer import Plan

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
WORDS = ("invoice", "parcel", "password", "refund", "courier", "login")
LABELS = ("billing", "delivery", "account", "billing", "delivery", "account")


def make_base(folder: Path, *, hidden: int = 64, template: str = CHATML) -> Path:
    """Write a random Llama of two layers, and a tokenizer that knows bytes and nothing else."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(SPECIAL + letters)}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<|pad|>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        eos_token_id=2,
        pad_token_id=0,
        bos_token_id=None,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def ticket(i: int, split: str = "train") -> dict[str, Any]:
    """Return one row: the label follows from a word, the rest of the text is of any length."""
    text = f"{split} {WORDS[i % 6]}{' please' * (i % 4)} {i}"
    return {
        "messages": [
            {"role": "system", "content": "Which team?"},
            {"role": "user", "content": text},
            {"role": "assistant", "content": LABELS[i % 6]},
        ]
    }


def preference(i: int, split: str = "train") -> dict[str, Any]:
    """Return a ticket whose rejected reply is the same label, shouted."""
    return ticket(i, split) | {
        "rejected": [{"role": "assistant", "content": LABELS[i % 6].upper()}]
    }


def prefer(root: Path) -> None:
    """Give a project's snapshots rejected replies."""
    snapshots = root / ".tunegate/snapshots"
    write(snapshots / "train.jsonl", [preference(i) for i in range(24)])
    write(snapshots / "validation.jsonl", [preference(i, "held") for i in range(6)])


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSONL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def make_project(root: Path, base: Path) -> Path:
    """Put the base and two snapshots into a project's root."""
    (root / "base").symlink_to(base)
    write(root / ".tunegate/snapshots/train.jsonl", [ticket(i) for i in range(24)])
    write(root / ".tunegate/snapshots/validation.jsonl", [ticket(i, "held") for i in range(6)])
    return root


def make_plan(project: Path, **settings: Any) -> Plan:
    """Make a plan; keywords are settings of the trainer."""
    from tunegate_qlora.trainer import QLoRATrainer

    quick = {"base": "base", "epochs": 2, "batch": 4, "learning_rate": 5e-3, "max_length": 128}
    config = QLoRATrainer().resolve(quick | settings, project)
    snapshots = project / ".tunegate/snapshots"
    return Plan(
        trainer="qlora",
        train=snapshots / "train.jsonl",
        validation=snapshots / "validation.jsonl",
        test=None,
        config=config,
        base=config["base"],
        base_digest=QLoRATrainer().base_digest(config, project),
        seed=config["seed"],
        root=project,
    )
