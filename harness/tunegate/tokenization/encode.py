"""Encodes a conversation as token ids and labels; the loss falls on the assistant's messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..data.canonical import content_text
from ..data.dataset import Example
from .chat_template import ChatTemplate, Messages, TemplateError

IGNORE_INDEX = -100  # the label of tokens without loss, in PyTorch and transformers


class NotTrainable(ValueError):
    """A row cannot be trained on; the message names its line and the reason."""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One conversation: `labels` are the `ids` where the loss falls, else IGNORE_INDEX."""

    line: int
    ids: list[int]
    labels: list[int]

    @property
    def trained_tokens(self) -> int:
        """How many tokens the loss falls on."""
        return sum(label != IGNORE_INDEX for label in self.labels)


def encode_example(example: Example, chat_template: ChatTemplate) -> EncodedRow:
    """Encode an example as token ids and labels.

    The loss falls on each assistant message whose `weight` is not 0, from the first token behind
    the generation prompt to the token that ends the turn, inclusive.

    Raises:
        NotTrainable: The template refuses the conversation; the prompt of a message differs from
            how the trained text begins; a turn has no end; the row has tools, tool calls or
            control tokens in its texts; or there is no message to train on.
    """
    try:
        if example.fields.get("tools"):
            raise TemplateError("`tools` are not supported: the model would be asked without them")
        for i, message in enumerate(example.messages):
            if message.get("tool_calls"):
                raise TemplateError(f"messages[{i}]: `tool_calls` are not supported")
            if match := chat_template.control_tokens.search(content_text(message)):
                reason = f"holds the template's own control token {match[0]!r}"
                raise TemplateError(f"messages[{i}] {reason}")
        ids = chat_template.token_ids(chat_template.render(example.messages))
        labels = [IGNORE_INDEX] * len(ids)
        for start, end in _trained_spans(example.messages, ids, chat_template):
            labels[start:end] = ids[start:end]
    except TemplateError as error:
        raise NotTrainable(f"line {example.line}: {error}") from None
    if all(label == IGNORE_INDEX for label in labels):
        raise NotTrainable(f"line {example.line}: no assistant message to train on")
    return EncodedRow(example.line, ids, labels)


def _trained_spans(
    messages: Messages, ids: list[int], chat_template: ChatTemplate
) -> Iterator[tuple[int, int]]:
    """Yield the first token, and the end, of each message that the loss falls on."""
    tokenizer, stop_ids = chat_template.tokenizer, chat_template.stop_ids
    for i, message in enumerate(messages):
        if message["role"] != "assistant" or message.get("weight", 1) == 0:
            continue
        prompt = chat_template.prompt_ids(messages[:i])
        start = len(prompt)
        if ids[:start] != prompt:
            pairs = enumerate(zip(prompt, ids, strict=False))
            n = next((n for n, (a, b) in pairs if a != b), min(start, len(ids)))
            asked, trained = (tokenizer.decode(x[n : n + 8]) for x in (prompt, ids))
            raise TemplateError(
                f"messages[{i}]: what the model is asked is not how the trained text begins; they "
                f"part at token {n}: asked {asked!r}, trained {trained!r}. Repair the chat template"
            )
        # Messages hold no control token, so the first stop token is that of this turn.
        end = next((n + 1 for n in range(start, len(ids)) if ids[n] in stop_ids), None)
        if end is None:
            names = ", ".join(sorted(tokenizer.convert_ids_to_tokens(list(stop_ids))))
            raise TemplateError(
                f"messages[{i}]: the chat template ends this turn without {names}: "
                "a model trained on it would never stop"
            )
        yield start, end
