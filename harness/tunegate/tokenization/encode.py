"""From a conversation to token ids and labels; the loss falls on what the assistant says alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..data.dataset import Example, content_text
from .chat_template import ChatTemplate, Messages, TemplateError

IGNORE_INDEX = -100  # the label that cross entropy passes over, in PyTorch and everywhere else


class NotTrainable(ValueError):
    """A row that cannot be trained on; the message says where it stands and why."""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One conversation: `labels` repeats `ids` where the loss falls, and is IGNORED elsewhere."""

    line: int
    ids: list[int]
    labels: list[int]

    @property
    def trained_tokens(self) -> int:
        """How many tokens the loss falls on."""
        return sum(label != IGNORE_INDEX for label in self.labels)


def encode_example(example: Example, chat_template: ChatTemplate) -> EncodedRow:
    """Return the row of an example.

    The loss falls on every assistant message whose `weight` is not 0, from the first token behind
    the generation prompt to the token that ends the turn, that one included. Raises Unfit where
    the template refuses the conversation, where what the model would be asked is not how the
    trained text begins, where a turn never ends, or where nothing would be trained.
    """
    try:
        _refuse_unsupported(example, chat_template)
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
    for i, message in enumerate(messages):
        if message["role"] != "assistant" or message.get("weight", 1) == 0:
            continue
        prompt = chat_template.prompt_ids(messages[:i])
        if ids[: len(prompt)] != prompt:
            raise TemplateError(_first_difference(prompt, ids, i, chat_template))
        yield len(prompt), _turn_end(ids, len(prompt), i, chat_template)


def _turn_end(ids: list[int], start: int, i: int, chat_template: ChatTemplate) -> int:
    """Return where a turn ends. Messages hold no control token, so the first stop is its own."""
    for position in range(start, len(ids)):
        if ids[position] in chat_template.stop_ids:
            return position + 1
    stop_names = ", ".join(
        sorted(chat_template.tokenizer.convert_ids_to_tokens(list(chat_template.stop_ids)))
    )
    raise TemplateError(
        f"messages[{i}]: the chat template ends this turn without {stop_names}: "
        "a model trained on it would never stop"
    )


def _first_difference(
    prompt: list[int], ids: list[int], i: int, chat_template: ChatTemplate
) -> str:
    """Say where the generation prompt first leaves the trained text, with what stands there."""
    pairs = enumerate(zip(prompt, ids, strict=False))
    position = next((n for n, (a, b) in pairs if a != b), min(len(prompt), len(ids)))
    asked_text = chat_template.tokenizer.decode(prompt[position : position + 8])
    trained_text = chat_template.tokenizer.decode(ids[position : position + 8])
    return (
        f"messages[{i}]: what the model is asked is not how the trained text begins; they part at "
        f"token {position}: asked {asked_text!r}, trained {trained_text!r}. Repair the chat template"
    )


def _refuse_unsupported(example: Example, chat_template: ChatTemplate) -> None:
    """Refuse what would be trained on as something else than it says."""
    if example.fields.get("tools"):
        raise TemplateError("`tools` are not supported: the model would be asked without them")
    for i, message in enumerate(example.messages):
        if message.get("tool_calls"):
            raise TemplateError(f"messages[{i}]: `tool_calls` are not supported")
        match = chat_template.control_tokens.search(content_text(message))
        if match:
            raise TemplateError(
                f"messages[{i}] holds the template's own control token {match[0]!r}"
            )
