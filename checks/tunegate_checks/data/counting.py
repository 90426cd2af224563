"""How many tokens a row has, and how many of them are learnt: by a chat template, or OpenAI's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from tunegate.dataset import Example
from tunegate.encode import IGNORED, encode
from tunegate.openai_tokens import Counted, OpenAI, counts
from tunegate.template import Template


class Counter(Protocol):
    """Counts a row; `longest` is what the model reads, `estimate` says why it is only one."""

    longest: int
    estimate: str

    def __call__(self, example: Example) -> Counted:
        """Count a row; raise Unfit or Unrendered where it cannot be trained on."""


def counter(tokenizer: str) -> Counter:
    """Return what counts with `openai:MODEL`, or the tokenizer of a folder or a hub name.

    Raises ValueError where it cannot be read, ImportError where transformers is not installed.
    """
    scheme, _, name = tokenizer.partition(":")
    return OpenAI(name) if scheme == "openai" else ByTemplate(tokenizer)


class ByTemplate:
    """Counts as the QLoRA trainer does: by the base's own tokenizer and chat template."""

    estimate = ""

    def __init__(self, folder: str) -> None:
        from transformers import AutoTokenizer

        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # a missing file, a broken one, an unknown class: all end here
            why = str(error).strip().partition("\n")[0]
            raise ValueError(f"{folder} holds no tokenizer that can be read: {why}") from None
        self.template = Template.of(tokenizer, Path(folder))
        self.longest = int(tokenizer.model_max_length)

    def __call__(self, example: Example) -> Counted:
        """Count a row; raise Unfit or Unrendered where it cannot be trained on."""
        if not any(counts(m) for m in example.messages):
            return Counted(len(self.template.ids(self.template.render(example.messages))), 0, 0)
        labels = encode(example, self.template).labels
        backwards = labels[::-1]
        end = next(i for i, label in enumerate(backwards) if label != IGNORED)
        span = next((i for i, n in enumerate(backwards[end:]) if n == IGNORED), len(labels) - end)
        learnt = sum(label != IGNORED for label in labels)
        return Counted(len(labels), learnt, len(labels) - end - span)
