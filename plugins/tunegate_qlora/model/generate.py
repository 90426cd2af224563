"""Turns requests into prompts, and generates greedy answers in batches, the shortest first."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from tunegate.interfaces.model import Answer, ModelUnknown, Request
from tunegate.tokenization.chat_template import TemplateError, TemplateOptions, load_template

from ..config import Decoding
from ..runtime.libraries import quiet_libraries
from . import folders
from .architecture import hf
from .weights import load_tuned


class Prompt(NamedTuple):
    """A request as the text and token ids that a model is given."""

    request: Request
    text: str
    ids: list[int]


class PromptEncoder:
    """The chat template of a model, and how long its prompts and answers may be.

    `tuned` is the folder of an adapter, if there is one, and `folder` then that of its base. Raises
    ModelUnknown where the template renders something else than in training.
    """

    def __init__(
        self, folder: Path, tuned: Path | None, decoding: Decoding, options: TemplateOptions | None
    ) -> None:
        self.chat_template = load_template(folder, options)
        # What the template writes before a reply is no part of it, but must be generated.
        before = self.chat_template.token_ids(self.chat_template.written_before)
        self.max_new_tokens = decoding.max_new_tokens + len(before)
        try:
            folders.check_same(self.chat_template, folders.read_metadata(tuned or folder).rendered)
        except ValueError as error:
            raise ModelUnknown(f"folder:{tuned or folder}: {error}") from None
        self.context = folders.context_length(folder)

    def encode(self, requests: Sequence[Request]) -> tuple[list[Prompt], list[Answer]]:
        """Return the prompts, and the errors of requests that cannot be put to the model."""
        prompts, errors = [], []
        for request in requests:
            try:
                text = self.chat_template.render(request.messages, prompt=True, tools=request.tools)
            except TemplateError as error:
                errors.append(Answer(request.row, error=str(error)))
                continue
            ids = self.chat_template.token_ids(text)
            if len(ids) < self.context:
                prompts.append(Prompt(request, text, ids))
            else:
                message = f"a prompt of {len(ids):,} tokens fills the context of {self.context:,}"
                errors.append(Answer(request.row, error=message))
        return prompts, errors

    def answer(
        self, prompt: Prompt, ids: list[int], *, seconds: float = 0.0, served_by: str = ""
    ) -> Answer:
        """Return the answer that generated token ids are; what follows the end is no part of it."""
        stop_ids, request = self.chat_template.stop_ids, prompt.request
        end = next((i for i, token in enumerate(ids) if token in stop_ids), None)
        new = ids if end is None else ids[: end + 1]
        text, reasoning, calls = self.chat_template.read_answer(new, request.tools)
        return Answer(
            request.row, text, seconds, len(new), prompt_tokens=len(prompt.ids),
            finish="length" if end is None else "stop", tool_calls=calls, reasoning=reasoning,
            served_by=served_by,
        )  # fmt: skip


class Generator(PromptEncoder):
    """A model in memory, ready to answer; raises ModelUnknown as `PromptEncoder` does."""

    def __init__(
        self, folder: Path, tuned: Path | None, decoding: Decoding,
        options: TemplateOptions | None = None,
    ) -> None:  # fmt: skip
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
