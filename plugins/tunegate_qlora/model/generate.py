"""Generates greedy answers with a loaded model: in batches, the shortest prompts first."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from tunegate.interfaces.model import Answer, Request
from tunegate.tokenization.chat_template import TemplateOptions

from ..config import Decoding
from ..runtime.libraries import quiet_libraries
from .architecture import hf
from .prompts import Prompt, PromptEncoder
from .weights import load_tuned


class Generator(PromptEncoder):
    """A model in memory, ready to answer; raises ModelUnknown as `PromptEncoder` does."""

    def __init__(
        self,
        folder: Path,
        tuned: Path | None,
        decoding: Decoding,
        options: TemplateOptions | None = None,
    ) -> None:
        self.size = decoding.generation_batch
        super().__init__(folder, tuned, decoding, options)
        self.model = load_tuned(folder, tuned, decoding)
        # It replaces the base's own generation settings, such as a repetition penalty.
        ends, pad = sorted(self.chat_template.stop_ids), self.chat_template.pad_id
        settings = hf.GenerationConfig(do_sample=False, eos_token_id=ends, pad_token_id=pad)
        self.model.generation_config = settings

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield the answers whose prompts cannot be read, then those of each batch in turn."""
        prompts, errors = self.encode(requests)
        yield from errors
        prompts.sort(key=lambda prompt: len(prompt.ids))
        while prompts:
            try:
                yield from self.answer_batch(prompts[: self.size])
                del prompts[: self.size]
            except torch.OutOfMemoryError:
                if self.size == 1:
                    raise
                self.size //= 2
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def answer_batch(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """Answer prompts together, padded on the left to the width of the longest."""
        started = time.perf_counter()
        width = max(len(prompt.ids) for prompt in prompts)
        ids = [[self.chat_template.pad_id] * (width - len(p.ids)) + p.ids for p in prompts]
        mask = [[0] * (width - len(p.ids)) + [1] * len(p.ids) for p in prompts]
        with quiet_libraries():
            generated = self.model.generate(
                input_ids=torch.tensor(ids, device=self.model.device),
                attention_mask=torch.tensor(mask, device=self.model.device),
                max_new_tokens=min(self.max_new_tokens, self.context - width),
            )
        rows = generated[:, width:].tolist()
        seconds = time.perf_counter() - started
        # After the end of a turn stands padding.
        return [self.answer(p, row, seconds=seconds) for p, row in zip(prompts, rows, strict=True)]
