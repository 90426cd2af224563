"""Encodes a conversation as token ids and labels; the loss falls on the assistant's messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..data.canonical import calls_json, content_text, to_json
from ..data.dataset import Example
from ..data.formats.messages import given_tools
from .chat_template import ChatTemplate, Messages, TemplateError
from .turns import common_length, is_trained_on, render_conversation

IGNORE_INDEX = -100  # the label of tokens without loss, in PyTorch and transformers


class NotTrainable(ValueError):
    """A row cannot be trained on; the message names its line and the reason."""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One conversation: `labels` are the `ids` where the loss falls, else IGNORE_INDEX.

    The first `head` tokens, the template's first and the system message, are never cut off.
    """

    line: int
    ids: list[int]
    labels: list[int]
    head: int = 0

    @property
    def trained_tokens(self) -> int:
        """How many tokens the loss falls on."""
        return sum(label != IGNORE_INDEX for label in self.labels)

    @property
    def longest_reply(self) -> int:
        """The tokens of the longest unbroken run that the loss falls on."""
        runs = groupby(label != IGNORE_INDEX for label in self.labels)
        return max((sum(run) for _, run in runs), default=0)


def encode_example(example: Example, chat_template: ChatTemplate) -> EncodedRow:
    """Encode an example as token ids and labels.

    The loss falls on each assistant message whose `weight` is not 0, from the first token behind
    the generation prompt to the token that ends the turn, inclusive. What comes after the last of
    them is left out: nothing would be learnt from it. Raises NotTrainable where there is no message
    to train on, the template refuses the conversation, or leaves out a part of it; a prompt differs
    from how the trained text begins; a turn has no end; or a text has control tokens.
    """
    learnt = [i for i, message in enumerate(example.messages) if is_trained_on(message)]
    if not learnt:
        raise NotTrainable(f"line {example.line}: no assistant message to train on")
    messages = example.messages[: learnt[-1] + 1]
    try:
        refuse_control_tokens(messages, example.fields, chat_template)
        rendering = render_conversation(messages, example.fields, chat_template)
        labels = [IGNORE_INDEX] * len(rendering.ids)
        for i in learnt:
            start, end = rendering.trained_span(i)
            labels[start:end] = rendering.ids[start:end]
    except TemplateError as error:
        raise NotTrainable(f"line {example.line}: {error}") from None
    head = chat_template.head_ids(messages, rendering.tools)
    return EncodedRow(example.line, rendering.ids, labels, common_length(head, rendering.ids))


def refuse_control_tokens(
    messages: Messages, fields: Mapping[str, Any], chat_template: ChatTemplate
) -> None:
    """Raise TemplateError where a text, a tool or its call holds one of the control tokens."""
    texts = [(f"messages[{i}]", content_text(message)) for i, message in enumerate(messages)]
    texts += [(f"messages[{i}]", calls_json([m])) for i, m in enumerate(messages)]
    texts += [("`tools`", to_json(tools))] if (tools := given_tools(fields)) else []
    for where, text in texts:
        if match := chat_template.control_tokens.search(text):
            raise TemplateError(f"{where} holds the template's own control token {match[0]!r}")
