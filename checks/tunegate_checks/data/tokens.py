"""Tokens: does each answer fit, is there something to learn in each row, and how much is it all?

    assert not tokens.find(dataset, "path/to/base", max_length=1024)

It takes a tokenizer with a chat template, as a folder: the one of the base that will be trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunegate.checking import check
from tunegate.dataset import Dataset, Example, content_text
from tunegate.findings import Finding


@check
def find(
    dataset: Dataset, folder: Path | str, *, max_length: int, epochs: int = 3
) -> Iterator[Finding]:
    """No answer is cut at `max_length` tokens, and every row has a token to learn.

    Learnt are the assistant's messages whose `weight` is not 0, from behind the generation prompt.
    A hint says how long rows are, and how many tokens `epochs` rounds make. Raises ValueError where
    `folder` holds no tokenizer with a chat template.
    """
    tokenizer = _tokenizer(Path(folder))
    lengths = []
    for example in dataset:
        try:
            length, spans = _measured(example, tokenizer)
        except Exception as error:  # a template raises whatever its author had it raise
            why = str(error).partition("\n")[0][:120]
            yield _at(example, "template", f"the chat template refuses the row: {why}")
            continue
        lengths.append(length)
        yield from _fitting(example, length, spans, max_length)
    if lengths:
        yield Finding(None, None, "tokens", _amount(lengths, max_length, epochs), hint=True)


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        why = str(error).strip().partition("\n")[0]
        raise ValueError(f"{folder} holds no tokenizer that can be read: {why}") from None
    if not tokenizer.chat_template:
        raise ValueError(f"the tokenizer in {folder} has no chat template (chat_template.jinja)")
    return tokenizer


def _measured(example: Example, tokenizer: Any) -> tuple[int, list[tuple[int, int]]]:
    """Return the tokens of a row, and where those that are learnt begin and end."""
    messages = [dict(m) | {"content": content_text(m)} for m in example.messages]
    learnt = [m["role"] == "assistant" and m.pop("weight", 1) != 0 for m in messages]
    length = _count(messages, tokenizer)
    spans = []
    for i in (i for i, counts in enumerate(learnt) if counts):
        last = i + 1 == len(messages)
        end = length if last else _count(messages[: i + 1], tokenizer)
        spans.append((_count(messages[:i], tokenizer, prompt=True), end))
    return length, spans


def _count(messages: list[dict[str, Any]], tokenizer: Any, prompt: bool = False) -> int:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
    found: Mapping[str, list[int]] = tokenizer(text, add_special_tokens=False)
    return len(found["input_ids"])


def _fitting(
    example: Example, length: int, spans: list[tuple[int, int]], limit: int
) -> Iterator[Finding]:
    if not any(start < min(end, limit) for start, end in spans):
        where = (
            f"the answer begins behind token {limit:,}" if spans else "no assistant message counts"
        )
        yield _at(example, "nothing to learn", f"no token of the row is learnt: {where}")
    elif any(end > limit for _, end in spans):
        cut = max(end for _, end in spans) - limit
        evidence = f"{length:,} tokens: the last {cut:,} of the answer are cut at {limit:,}"
        yield _at(example, "cut answer", f"{evidence}; raise max_length or shorten the row")


def _amount(lengths: list[int], limit: int, epochs: int) -> str:
    ordered = sorted(lengths)
    middle, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    rows = (
        f"half the rows have at most {middle:,} tokens, 99 % at most {high:,}, all {ordered[-1]:,}"
    )
    return f"{rows} (max_length {limit:,}); {epochs} epochs are {epochs * sum(ordered):,} tokens"


def _at(example: Example, kind: str, evidence: str) -> Finding:
    return Finding(example.row, example.line, kind, evidence)
