"""Count a row's tokens, and those that are trained on, by a chat template or as OpenAI does."""

from __future__ import annotations

from typing import Protocol

from tunegate.data.dataset import Example
from tunegate.tokenization.chat_template import load_template
from tunegate.tokenization.counters import OpenAITokenCounter, TokenCount, is_trained_on
from tunegate.tokenization.encode import IGNORE_INDEX, encode_example


class TokenCounter(Protocol):
    """Counts the tokens of a row.

    `max_tokens` is the longest input of the model; `estimate` says why a count is only an estimate,
    and is "" for an exact one.
    """

    max_tokens: int
    estimate: str

    def __call__(self, example: Example) -> TokenCount:
        """Count a row; raise NotTrainable or TemplateError where it cannot be encoded."""


def make_token_counter(tokenizer: str) -> TokenCounter:
    """Return the counter for `openai:MODEL`, or for the tokenizer of a folder or a hub name.

    Raises ValueError where the tokenizer cannot be read, ImportError without transformers.
    """
    scheme, _, name = tokenizer.partition(":")
    return OpenAITokenCounter(name) if scheme == "openai" else ChatTemplateCounter(tokenizer)


class ChatTemplateCounter:
    """Counts like the QLoRA trainer, by the base model's own tokenizer and chat template."""

    estimate = ""

    def __init__(self, folder: str) -> None:
        self.chat_template = load_template(folder)
        self.max_tokens = int(self.chat_template.tokenizer.model_max_length)

    def __call__(self, example: Example) -> TokenCount:
        """Count a row; raise NotTrainable or TemplateError where it cannot be encoded."""
        if not any(is_trained_on(m) for m in example.messages):
            text = self.chat_template.render(example.messages)
            return TokenCount(len(self.chat_template.token_ids(text)), trained=0, answer_start=0)
        labels = encode_example(example, self.chat_template).labels
        trained = [i for i, label in enumerate(labels) if label != IGNORE_INDEX]
        # The last answer is the last unbroken run of trained tokens.
        answer_start = trained[-1]
        while answer_start > 0 and labels[answer_start - 1] != IGNORE_INDEX:
            answer_start -= 1
        return TokenCount(len(labels), len(trained), answer_start)
