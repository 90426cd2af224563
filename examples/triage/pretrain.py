"""Build the tiny base model from scratch, tokenizer and all. Once: the result is kept in `base/`.

    python pretrain.py

One CPU thread, no network. The loss on a ticket's own words counts little, on the answer fully: how
an answer follows from a ticket is what the base has to bring, not fine prose. A second, shorter
pass teaches capitals and the form of the dataset's answers.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from capitals import widen
from corpus import FIRST, SECOND, Messages, Mix, corpus, tickets
from world import World

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).parent
PAD, SYSTEM, USER, ASSISTANT, END = SPECIAL = (
    "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>",
)  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}"
    "{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


VOCABULARY = 2_048  # without the capitals of the second pass
HIDDEN = 192  # a multiple of 64, as below: bitsandbytes on CPU is wrong for other inputs
INTERMEDIATE, LAYERS, HEADS, BATCH = 384, 3, 6, 32


@dataclass(frozen=True)
class Pass:
    """What is read in one pass, and how; all of it stands in the model card."""

    seed: str
    conversations: int
    mix: Mix
    rate: float
    ticket_weight: float


PASSES = (
    Pass("corpus", 200_000, FIRST, rate=3e-3, ticket_weight=0.1),
    Pass("case", 24_000, SECOND, rate=2e-3, ticket_weight=0.0),
)


def held_out() -> list[str]:
    """The tickets that the corpus must stay clear of."""
    rows = (HERE / "data" / "test.jsonl").read_text("utf-8").splitlines()
    return [json.loads(row)["messages"][1]["content"].lower() for row in rows]


def make_tokenizer(texts: Iterator[str], size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that nothing is unknown, with every digit on its own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Digits(individual_digits=True)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), initial_alphabet=alphabet,
        show_progress=False,
    )  # fmt: skip
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, eos_token=END, pad_token=PAD, padding_side="left",
        additional_special_tokens=[SYSTEM, USER, ASSISTANT], chat_template=TEMPLATE,
        model_max_length=512, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama of one and a half million parameters, with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=HIDDEN, intermediate_size=INTERMEDIATE,
        num_hidden_layers=LAYERS, num_attention_heads=HEADS, max_position_embeddings=512,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def batches(rows: list[list[int]], size: int, random: Random) -> Iterator[list[list[int]]]:
    """Every row once, those of about equal length together, the batches in random order."""
    rows = random.sample(rows, len(rows))
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    random.shuffle(groups)
    for group in groups:
        yield [rows[row] for row in group]


def loss_of(
    model: LlamaForCausalLM, rows: list[list[int]], answer: int, weight: float
) -> torch.Tensor:
    """Next-token loss: answers count one, everything before them `weight`, padding nothing."""
    import torch
    from torch.nn.functional import cross_entropy

    pad = model.config.pad_token_id or 0
    longest = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    vectors = model.model(input_ids=ids[:, :-1]).last_hidden_state
    answered = (ids == answer).cumsum(1)[:, :-1] > 0
    weights = torch.where(answered, 1.0, weight) * (ids[:, 1:] != pad)
    counts = weights > 0  # of the others no logits are needed
    each = cross_entropy(model.lm_head(vectors[counts]), ids[:, 1:][counts], reduction="none")
    return (each * weights[counts]).sum() / weights.sum()


def fit(model: LlamaForCausalLM, rows: list[list[int]], answer: int, plan: Pass) -> list[float]:
    """One pass over the rows; the loss of every step."""
    import torch
    from transformers import get_cosine_schedule_with_warmup

    weights = model.parameters()
    optimizer = torch.optim.AdamW(weights, plan.rate, (0.9, 0.95), weight_decay=0.05, fused=True)
    steps = -(-len(rows) // BATCH)
    schedule = get_cosine_schedule_with_warmup(optimizer, steps // 30, steps)
    losses, start = [], time.time()
    for step, batch in enumerate(batches(rows, BATCH, Random(plan.seed))):
        loss = loss_of(model, batch, answer, plan.ticket_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % 200 == 0:
            recent, seconds = losses[-200:], time.time() - start
            mean = sum(recent) / len(recent)
            print(f"step {step}/{steps}  loss {mean:.3f}  {seconds:.0f} s", flush=True)
    return losses


def tokenise(tokenizer: PreTrainedTokenizerFast, conversations: list[Messages]) -> list[list[int]]:
    """The token ids of every conversation."""
    texts = tokenizer.apply_chat_template(conversations, tokenize=False)
    rows: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return rows


def save(model: Any, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Save in bf16, half the size: the figures of the card are those of the rounded weights."""
    import torch

    model.generation_config.max_new_tokens = 16
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """Make the tokenizer and the model, and have the model read both corpora."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    parser = argparse.ArgumentParser(description="Build the tiny base model from scratch.")
    parser.add_argument("--out", type=Path, default=HERE / "base")
    parser.add_argument("--first", type=Path, help="a folder with what the first pass made")
    options = parser.parse_args()
    torch.set_num_threads(1)
    start, first = time.time(), options.first
    if first:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(first)
        model = LlamaForCausalLM.from_pretrained(first, dtype=torch.float32)
    for plan in PASSES[bool(first) :]:
        conversations, nearest = corpus(plan.seed, plan.conversations, held_out(), plan.mix)
        print(f"{len(conversations)} conversations, nearest to a test ticket: {nearest:.1f} of 100")
        if plan is PASSES[0]:
            contents = (turn["content"] for talk in conversations[:40_000] for turn in talk)
            tokenizer = make_tokenizer(contents, VOCABULARY)
            model = make_model(tokenizer)
        else:
            widen(model, tokenizer, (ticket.text for ticket in tickets(World("use"), 6_000)))
        rows = tokenise(tokenizer, conversations)
        print(f"{model.num_parameters()} parameters, {sum(map(len, rows))} tokens")
        fit(model, rows, tokenizer.get_vocab()[ASSISTANT], plan)
    save(model, tokenizer, options.out)
    print(f"{options.out}: {time.time() - start:.0f} s in all")


if __name__ == "__main__":
    main()
