"""How many tokens a row has at OpenAI, and how many of them are learnt."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .dataset import Example, content_text

# OpenAI's cookbook, "How to count tokens with tiktoken": around each message, and the last reply.
PER_MESSAGE, PER_NAME, PER_REPLY = 3, 1, 3
ENCODINGS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"  # tiktoken's own


@dataclass(frozen=True, slots=True)
class Counted:
    """The tokens of a row, those that are learnt, and where the last answer begins."""

    length: int
    learnt: int
    answer: int


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
            if counts(message):
                learnt, answer = learnt + size - PER_MESSAGE, length + PER_MESSAGE
            length += size
        return Counted(length + PER_REPLY, learnt, answer)

    def _message(self, message: Mapping[str, Any]) -> int:
        called = message.get("tool_calls") or message.get("function_call")
        texts = [str(message["role"]), content_text(message), str(message.get("name") or "")]
        texts += [json.dumps(called, ensure_ascii=False)] if called else []
        return PER_MESSAGE + PER_NAME * bool(message.get("name")) + sum(map(self.tokens, texts))


def counts(message: Mapping[str, Any]) -> bool:
    return bool(message["role"] == "assistant" and message.get("weight", 1) != 0)


def _encoding(model: str) -> tuple[Callable[[str], int], str]:
    """Return what counts a text's tokens, and why it is an estimate ("" where it is none)."""
    try:
        import tiktoken

        name = tiktoken.encoding_name_for_model(_untuned(model))
    except ImportError:
        return _four, f"tiktoken is not installed; {FOUR}"
    except KeyError:
        return _four, f"tiktoken knows no encoding of {model!r}; {FOUR}"
    if not (place := _cached(name)).is_file():
        return _four, f"tiktoken's {name} is not in its cache ({place.parent}); {FOUR}"
    try:
        found = _offline(name)
    except OSError:
        return _four, f"tiktoken's {name} in its cache ({place.parent}) is damaged; {FOUR}"
    return lambda text: len(found.encode_ordinary(text)), ""


def _untuned(model: str) -> str:
    """Return the model that a fine-tuned one (`ft:MODEL:organisation:...`) was made of."""
    kind, _, rest = model.partition(":")
    return rest.partition(":")[0] if kind == "ft" else model


def _offline(name: str) -> Any:
    """Return an encoding from tiktoken's cache; raise OSError where it would be downloaded."""
    import tiktoken
    from tiktoken import load

    def refused(address: str) -> bytes:
        raise OSError(address)

    asked = load.read_file
    load.read_file = refused  # type: ignore[assignment]
    try:
        return tiktoken.get_encoding(name)
    finally:
        load.read_file = asked


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
