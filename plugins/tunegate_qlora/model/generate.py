"""Generates greedy answers with a loaded model: in batches, the shortest prompts first."""

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tunegate.interfaces.model import Answer, ModelUnknown, Request
from tunegate.tokenization.chat_template import TemplateError, TemplateOptions, load_template

from ..config import Decoding
from ..runtime.libraries import quiet_libraries
from . import base
from .metadata import check_same, read_metadata
from .weights import load_tuned

Prompt = tuple[Request, list[int]]  # and the token ids of its prompt


class Generator:
    """A model in memory, ready to answer.

    Raises ModelUnknown where the chat template renders something else than in training.
    """

    def __init__(
        self,
        folder: Path,
        tuned: Path | None,
        decoding: Decoding,
        options: TemplateOptions | None = None,
    ) -> None:
        hf: Any = import_module("transformers")  # partly untyped
        self.size = decoding.generation_batch
        self.chat_template = load_template(folder, options)
        # What the template writes before a reply is no part of it, but must be generated.
        before = self.chat_template.token_ids(self.chat_template.written_before)
        self.max_new_tokens = decoding.max_new_tokens + len(before)
        try:
            check_same(self.chat_template, read_metadata(tuned or folder).rendered)
        except ValueError as error:
            raise ModelUnknown(f"folder:{tuned or folder}: {error}") from None
        self.context = base.context_length(folder)
        self.model = load_tuned(folder, tuned, decoding)
        # It replaces the base's own generation settings, such as a repetition penalty.
        ends, pad = sorted(self.chat_template.stop_ids), self.chat_template.pad_id
        settings = hf.GenerationConfig(do_sample=False, eos_token_id=ends, pad_token_id=pad)
        self.model.generation_config = settings

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield the answers whose prompts cannot be read, then those of each batch in turn."""
        prompts: list[Prompt] = []
        for request in requests:
            try:
                ids = self.chat_template.prompt_ids(request.messages, request.tools)
            except TemplateError as error:
                yield Answer(request.row, error=str(error))
                continue
            if len(ids) < self.context:
                prompts.append((request, ids))
            else:
                message = f"a prompt of {len(ids):,} tokens fills the context of {self.context:,}"
                yield Answer(request.row, error=message)
        prompts.sort(key=lambda prompt: len(prompt[1]))
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
        width = max(len(ids) for _, ids in prompts)
        ids = [[self.chat_template.pad_id] * (width - len(ids)) + ids for _, ids in prompts]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for _, ids in prompts]
        with quiet_libraries():
            generated = self.model.generate(
                input_ids=torch.tensor(ids, device=self.model.device),
                attention_mask=torch.tensor(mask, device=self.model.device),
                max_new_tokens=min(self.max_new_tokens, self.context - width),
            )
        rows = generated[:, width:].tolist()
        seconds = time.perf_counter() - started
        stop_ids, answers = self.chat_template.stop_ids, []
        for (request, prompt_ids), row in zip(prompts, rows, strict=True):
            # After the end of a turn stands padding.
            end = next((i for i, token in enumerate(row) if token in stop_ids), len(row))
            new = row[: end + 1]
            text, reasoning, calls = self.chat_template.read_answer(new, request.tools)
            finish = "stop" if new[-1] in stop_ids else "length"
            answers.append(Answer(
                request.row, text, seconds, len(new), prompt_tokens=len(prompt_ids),
                finish=finish, tool_calls=calls, reasoning=reasoning,
            ))  # fmt: skip
        return answers
