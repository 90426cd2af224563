"""Greedy answers from a loaded model: batched, shortest prompts first, padded on the left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from tunegate.protocols import Answer, ModelUnknown, Request
from tunegate.template import Template, Unrendered

from . import adapter, fit, rendering, template
from . import note as notes
from .config import Decoding
from .quantise import load
from .quiet import undisturbed

Prompt = tuple[int, list[int]]  # the request's row, and token ids


class Generator:
    """A model in memory, ready to answer."""

    def __init__(self, folder: Path, tuned: Path | None, decoding: Decoding, size: int) -> None:
        self.size, self.longest = size, decoding.max_new_tokens
        self.template = _template(folder, tuned)
        self.context = fit.context(folder)
        self.model = adapter.mount(load(folder, decoding), tuned)
        self.model.generation_config = self._greedy()

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield an answer to each request, as each batch is done."""
        prompts: list[Prompt] = []
        for request in requests:
            ids = self._prompt(request)
            if isinstance(ids, Answer):
                yield ids
            else:
                prompts.append((request.row, ids))
        prompts.sort(key=lambda prompt: len(prompt[1]))
        for start in range(0, len(prompts), self.size):
            yield from self._batch(prompts[start : start + self.size])

    def _prompt(self, request: Request) -> list[int] | Answer:
        try:
            ids = self.template.prompt(request.messages)
        except Unrendered as error:
            return Answer(request.row, error=str(error))
        room = self.context - len(ids)
        if room < 1:
            told = f"a prompt of {len(ids):,} tokens fills the context of {self.context:,}"
            return Answer(request.row, error=told)
        return ids

    @torch.inference_mode()
    def _batch(self, prompts: Sequence[Prompt]) -> list[Answer]:
        started = time.perf_counter()
        width = max(len(ids) for _, ids in prompts)
        ids = [[self.template.pad] * (width - len(ids)) + ids for _, ids in prompts]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for _, ids in prompts]
        with undisturbed():
            made = self.model.generate(
                input_ids=torch.tensor(ids, device=self.model.device),
                attention_mask=torch.tensor(mask, device=self.model.device),
                max_new_tokens=min(self.longest, self.context - width),
            )
        rows = [self._ended(new) for new in made[:, width:].tolist()]
        seconds = time.perf_counter() - started
        texts = [self.template.text(row) for row in rows]
        return [
            Answer(
                row,
                text,
                latency=seconds,
                tokens=len(new),
                prompt_tokens=len(asked),
                finish="stop" if new[-1] in self.template.stops else "length",
            )
            for (row, asked), text, new in zip(prompts, texts, rows, strict=True)
        ]

    def _ended(self, new: list[int]) -> list[int]:
        """Return the tokens of one answer, its end of turn included, without the padding after."""
        stop = (i for i, token in enumerate(new) if token in self.template.stops)
        return new[: next(stop, len(new)) + 1]

    def _greedy(self) -> Any:
        """Return decoding settings that take nothing over from the base's own: no penalties."""
        import transformers

        hf: Any = transformers
        return hf.GenerationConfig(
            do_sample=False,
            eos_token_id=sorted(self.template.stops),
            pad_token_id=self.template.pad,
        )


def _template(folder: Path, tuned: Path | None) -> Template:
    """Return the base's chat template; raise ModelUnknown where training's rendered otherwise."""
    found = template.load(folder)
    try:
        rendering.check(found, notes.read(tuned or folder).rendered)
    except ValueError as error:
        raise ModelUnknown(f"folder:{tuned or folder}: {error}") from None
    return found
