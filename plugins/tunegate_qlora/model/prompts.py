"""Turns requests into the prompts of a model, and the tokens that it generates into answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tunegate.interfaces.model import Answer, ModelUnknown, Request
from tunegate.tokenization.chat_template import TemplateError, TemplateOptions, load_template

from ..config import Decoding
from . import base
from .metadata import check_same, read_metadata


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
            check_same(self.chat_template, read_metadata(tuned or folder).rendered)
        except ValueError as error:
            raise ModelUnknown(f"folder:{tuned or folder}: {error}") from None
        self.context = base.context_length(folder)

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
