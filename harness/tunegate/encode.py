"""From a conversation to token ids and labels; the loss falls on what the assistant says alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .dataset import Example, content_text
from .template import Messages, Template, Unrendered

IGNORED = -100  # the label that cross entropy passes over, in PyTorch and everywhere else


class Unfit(ValueError):
    """A row that cannot be trained on; the message says where it stands and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation: `labels` repeats `ids` where the loss falls, and is IGNORED elsewhere."""

    line: int
    ids: list[int]
    labels: list[int]

    @property
    def trained(self) -> int:
        """How many tokens the loss falls on."""
        return sum(label != IGNORED for label in self.labels)


def encode(example: Example, template: Template) -> Row:
    """Return the row of an example.

    The loss falls on every assistant message whose `weight` is not 0, from the first token behind
    the generation prompt to the token that ends the turn, that one included. Raises Unfit where
    the template refuses the conversation, where what the model would be asked is not how the
    trained text begins, where a turn never ends, or where nothing would be trained.
    """
    try:
        _refuse(example, template)
        ids = template.ids(template.render(example.messages))
        labels = [IGNORED] * len(ids)
        for start, end in _turns(example.messages, ids, template):
            labels[start:end] = ids[start:end]
    except Unrendered as error:
        raise Unfit(f"line {example.line}: {error}") from None
    if all(label == IGNORED for label in labels):
        raise Unfit(f"line {example.line}: no assistant message to train on")
    return Row(example.line, ids, labels)


def _turns(messages: Messages, ids: list[int], template: Template) -> Iterator[tuple[int, int]]:
    for i, message in enumerate(messages):
        if message["role"] != "assistant" or message.get("weight", 1) == 0:
            continue
        prompt = template.prompt(messages[:i])
        if ids[: len(prompt)] != prompt:
            raise Unrendered(_differs(prompt, ids, i, template))
        yield len(prompt), _end(ids, len(prompt), i, template)


def _end(ids: list[int], start: int, i: int, template: Template) -> int:
    """Return where a turn ends. Messages hold no control token, so the first stop is its own."""
    for place in range(start, len(ids)):
        if ids[place] in template.stops:
            return place + 1
    names = ", ".join(sorted(template.tokenizer.convert_ids_to_tokens(list(template.stops))))
    raise Unrendered(
        f"messages[{i}]: the chat template ends this turn without {names}: "
        "a model trained on it would never stop"
    )


def _differs(prompt: list[int], ids: list[int], i: int, template: Template) -> str:
    """Say where the generation prompt first leaves the trained text, with what stands there."""
    pairs = enumerate(zip(prompt, ids, strict=False))
    place = next((n for n, (a, b) in pairs if a != b), min(len(prompt), len(ids)))
    asked = template.tokenizer.decode(prompt[place : place + 8])
    trained = template.tokenizer.decode(ids[place : place + 8])
    return (
        f"messages[{i}]: what the model is asked is not how the trained text begins; they part at "
        f"token {place}: asked {asked!r}, trained {trained!r}. Repair the chat template"
    )


def _refuse(example: Example, template: Template) -> None:
    """Refuse what would be trained on as something else than it says."""
    if example.fields.get("tools"):
        raise Unrendered("`tools` are not supported: the model would be asked without them")
    for i, message in enumerate(example.messages):
        if message.get("tool_calls"):
            raise Unrendered(f"messages[{i}]: `tool_calls` are not supported")
        found = template.controls.search(content_text(message))
        if found:
            raise Unrendered(f"messages[{i}] holds the template's own control token {found[0]!r}")
