"""How many tokens a row has, and how many of them are learnt: by a chat template, or OpenAI's."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tunegate.dataset import Example, content_text
from tunegate.encode import IGNORED, encode
from tunegate.template import Template

# OpenAI's cookbook, "How to count tokens with tiktoken": around each message, and the last reply.
PER_MESSAGE, PER_NAME, PER_REPLY = 3, 1, 3
ENCODINGS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"  # tiktoken's own


@dataclass(frozen=True, slots=True)
class Counted:
    """The tokens of a row, those that are learnt, and where the last answer begins."""

    length: int
    learnt: int
    answer: int


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
        if not any(_counts(m) for m in example.messages):
            return Counted(len(self.template.ids(self.template.render(example.messages))), 0, 0)
        labels = encode(example, self.template).labels
        backwards = labels[::-1]
        end = next(i for i, label in enumerate(backwards) if label != IGNORED)
        span = next((i for i, n in enumerate(backwards[end:]) if n == IGNORED), len(labels) - end)
        learnt = sum(label != IGNORED for label in labels)
        return Counted(len(labels), learnt, len(labels) - end - span)


class OpenAI:
    """Counts by tiktoken's encoding of a model, where it is cached; else four characters each."""

    longest = 2**31

    def __init__(self, model: str) -> None:
        self.tokens, self.estimate = _encoding(model)

    def __call__(self, example: Example) -> Counted:
        """Count a row: messages, tools, and what each message costs by itself."""
        tools = example.fields.get("tools")
        length = self.tokens(json.dumps(tools, ensure_ascii=False)) if tools else 0
        learnt = answer = 0
        for message in example.messages:
            size = self._message(message)
            if _counts(message):
                learnt, answer = learnt + size - PER_MESSAGE, length + PER_MESSAGE
            length += size
        return Counted(length + PER_REPLY, learnt, answer)

    def _message(self, message: Mapping[str, Any]) -> int:
        called = message.get("tool_calls") or message.get("function_call")
        texts = [str(message["role"]), content_text(message), str(message.get("name") or "")]
        texts += [json.dumps(called, ensure_ascii=False)] if called else []
        return PER_MESSAGE + PER_NAME * bool(message.get("name")) + sum(map(self.tokens, texts))


def _counts(message: Mapping[str, Any]) -> bool:
    return bool(message["role"] == "assistant" and message.get("weight", 1) != 0)


def _encoding(model: str) -> tuple[Callable[[str], int], str]:
    """Return what counts a text's tokens, and why it is an estimate ("" where it is none)."""
    try:
        import tiktoken

        name = tiktoken.encoding_name_for_model(model)
    except ImportError:
        return _four, f"tiktoken is not installed; {FOUR}"
    except KeyError:
        return _four, f"tiktoken knows no encoding of {model!r}; {FOUR}"
    if not (place := _cached(name)).is_file():
        return _four, f"tiktoken's {name} is not in its cache ({place.parent}); {FOUR}"
    found = tiktoken.get_encoding(name)
    return lambda text: len(found.encode_ordinary(text)), ""


FOUR = (
    "4 characters count as a token, OpenAI's rule of thumb for English; other languages need more"
)


def _four(text: str) -> int:
    return -(-len(text) // 4)


def _cached(name: str) -> Path:
    """Return where tiktoken keeps an encoding (tiktoken/load.py): it is never downloaded here."""
    usual = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", usual))
    return Path(folder) / hashlib.sha1(ENCODINGS.format(name).encode()).hexdigest()
