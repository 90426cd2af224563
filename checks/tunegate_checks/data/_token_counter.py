"""How many tokens a row has, and how many of them are learnt: by a chat template, or OpenAI's."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tunegate.data.dataset import Example
from tunegate.tokenization.chat_template import ChatTemplate
from tunegate.tokenization.counters import OpenAITokenCounter, TokenCount, is_trained_on
from tunegate.tokenization.encode import IGNORE_INDEX, encode_example


class TokenCounter(Protocol):
    """Counts a row; `longest` is what the model reads, `estimate` says why it is only one."""

    max_tokens: int
    estimate: str

    def __call__(self, example: Example) -> TokenCount:
        """Count a row; raise Unfit or Unrendered where it cannot be trained on."""


def make_token_counter(tokenizer: str) -> TokenCounter:
    """Return what counts with `openai:MODEL`, or the tokenizer of a folder or a hub name.

    Raises ValueError where it cannot be read, ImportError where transformers is not installed.
    """
    scheme, _, name = tokenizer.partition(":")
    return OpenAITokenCounter(name) if scheme == "openai" else ChatTemplateCounter(tokenizer)


class ChatTemplateCounter:
    """Counts as the QLoRA trainer does: by the base's own tokenizer and chat template."""

    estimate = ""

    def __init__(self, folder: str) -> None:
        self.chat_template = ChatTemplate.from_folder(Path(folder))
        self.max_tokens = int(self.chat_template.tokenizer.model_max_length)

    def __call__(self, example: Example) -> TokenCount:
        """Count a row; raise Unfit or Unrendered where it cannot be trained on."""
        if not any(is_trained_on(m) for m in example.messages):
            return TokenCount(
                len(self.chat_template.token_ids(self.chat_template.render(example.messages))), 0, 0
            )
        labels = encode_example(example, self.chat_template).labels
        backwards = labels[::-1]
        end = next(i for i, label in enumerate(backwards) if label != IGNORE_INDEX)
        span = next(
            (i for i, n in enumerate(backwards[end:]) if n == IGNORE_INDEX), len(labels) - end
        )
        trained = sum(label != IGNORE_INDEX for label in labels)
        return TokenCount(len(labels), trained, len(labels) - end - span)
