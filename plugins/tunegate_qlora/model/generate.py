"""Greedy answers from a loaded model: batched, shortest prompts first, padded on the left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from tunegate.interfaces.model import Answer, ModelUnknown, Request
from tunegate.tokenization.chat_template import ChatTemplate, TemplateError

from ..config.settings import Decoding
from ..runtime.quiet import quiet_libraries
from . import adapter, base
from . import chat_template as rendering
from . import chat_template as template
from . import metadata as notes
from .load import load_base

Prompt = tuple[int, list[int]]  # the request's row, and token ids


class Generator:
    """A model in memory, ready to answer."""

    def __init__(self, folder: Path, tuned: Path | None, decoding: Decoding, size: int) -> None:
        self.size, self.max_new_tokens = size, decoding.max_new_tokens
        self.chat_template = _checked_template(folder, tuned)
        self.context = base.context_length(folder)
        self.model = adapter.load_adapter(load_base(folder, decoding), tuned)
        self.model.generation_config = self._greedy_config()

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield an answer to each request, as each batch is done."""
        prompts: list[Prompt] = []
        for request in requests:
            ids = self._prompt_ids(request)
            if isinstance(ids, Answer):
                yield ids
            else:
                prompts.append((request.row, ids))
        prompts.sort(key=lambda prompt: len(prompt[1]))
        for start in range(0, len(prompts), self.size):
            yield from self._answer_batch(prompts[start : start + self.size])

    def _prompt_ids(self, request: Request) -> list[int] | Answer:
        try:
            ids = self.chat_template.prompt_ids(request.messages)
        except TemplateError as error:
            return Answer(request.row, error=str(error))
        free_tokens = self.context - len(ids)
        if free_tokens < 1:
            message = f"a prompt of {len(ids):,} tokens fills the context of {self.context:,}"
            return Answer(request.row, error=message)
        return ids

    @torch.inference_mode()
    def _answer_batch(self, prompts: Sequence[Prompt]) -> list[Answer]:
        started = time.perf_counter()
        width = max(len(ids) for _, ids in prompts)
        ids = [[self.chat_template.pad_id] * (width - len(ids)) + ids for _, ids in prompts]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for _, ids in prompts]
        with quiet_libraries():
            generated = self.model.generate(
                input_ids=torch.tensor(ids, device=self.model.device),
                attention_mask=torch.tensor(mask, device=self.model.device),
                max_new_tokens=min(self.max_new_tokens, self.context - width),
            )
        rows = [self._cut_at_stop(new) for new in generated[:, width:].tolist()]
        seconds = time.perf_counter() - started
        texts = [self.chat_template.answer_text(row) for row in rows]
        return [
            Answer(
                row,
                text,
                latency=seconds,
                tokens=len(new),
                prompt_tokens=len(prompt_ids),
                finish="stop" if new[-1] in self.chat_template.stop_ids else "length",
            )
            for (row, prompt_ids), text, new in zip(prompts, texts, rows, strict=True)
        ]

    def _cut_at_stop(self, new: list[int]) -> list[int]:
        """Return the tokens of one answer, its end of turn included, without the padding after."""
        stop = (i for i, token in enumerate(new) if token in self.chat_template.stop_ids)
        return new[: next(stop, len(new)) + 1]

    def _greedy_config(self) -> Any:
        """Return decoding settings that take nothing over from the base's own: no penalties."""
        import transformers

        hf: Any = transformers
        return hf.GenerationConfig(
            do_sample=False,
            eos_token_id=sorted(self.chat_template.stop_ids),
            pad_token_id=self.chat_template.pad_id,
        )


def _checked_template(folder: Path, tuned: Path | None) -> ChatTemplate:
    """Return the base's chat template; raise ModelUnknown where training's rendered otherwise."""
    chat_template = template.load_template(folder)
    try:
        rendering.check_same(chat_template, notes.read_metadata(tuned or folder).rendered)
    except ValueError as error:
        raise ModelUnknown(f"folder:{tuned or folder}: {error}") from None
    return chat_template
