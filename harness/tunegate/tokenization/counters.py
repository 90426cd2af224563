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

from ..data.dataset import Example, content_text

# OpenAI's cookbook, "How to count tokens with tiktoken": around each message, and the last reply.
PER_MESSAGE, PER_NAME, PER_REPLY = 3, 1, 3
ENCODINGS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"  # tiktoken's own


@dataclass(frozen=True, slots=True)
class TokenCount:
    """The tokens of a row, those that are learnt, and where the last answer begins."""

    length: int
    trained: int
    answer_start: int


class OpenAITokenCounter:
    """Counts by tiktoken's encoding of a model, where it is cached; else four characters each."""

    max_tokens = 2**31

    def __init__(self, model: str) -> None:
        self.count_tokens, self.estimate = _token_counter(model)

    def __call__(self, example: Example) -> TokenCount:
        """Count a row: messages, tools, and what each message costs by itself."""
        tools = example.fields.get("tools")
        length = self.count_tokens(json.dumps(tools, ensure_ascii=False)) if tools else 0
        trained = answer_start = 0
        for message in example.messages:
            size = self._message_tokens(message)
            if is_trained_on(message):
                trained, answer_start = trained + size - PER_MESSAGE, length + PER_MESSAGE
            length += size
        return TokenCount(length + PER_REPLY, trained, answer_start)

    def _message_tokens(self, message: Mapping[str, Any]) -> int:
        calls = message.get("tool_calls") or message.get("function_call")
        texts = [str(message["role"]), content_text(message), str(message.get("name") or "")]
        texts += [json.dumps(calls, ensure_ascii=False)] if calls else []
        return (
            PER_MESSAGE + PER_NAME * bool(message.get("name")) + sum(map(self.count_tokens, texts))
        )


def is_trained_on(message: Mapping[str, Any]) -> bool:
    return bool(message["role"] == "assistant" and message.get("weight", 1) != 0)


def _token_counter(model: str) -> tuple[Callable[[str], int], str]:
    """Return what counts a text's tokens, and why it is an estimate ("" where it is none)."""
    try:
        import tiktoken

        name = tiktoken.encoding_name_for_model(_base_model(model))
    except ImportError:
        return _estimate_tokens, f"tiktoken is not installed; {ESTIMATE_NOTE}"
    except KeyError:
        return _estimate_tokens, f"tiktoken knows no encoding of {model!r}; {ESTIMATE_NOTE}"
    if not (path := _cache_path(name)).is_file():
        return (
            _estimate_tokens,
            f"tiktoken's {name} is not in its cache ({path.parent}); {ESTIMATE_NOTE}",
        )
    try:
        encoding = _load_cached_encoding(name)
    except OSError:
        return (
            _estimate_tokens,
            f"tiktoken's {name} in its cache ({path.parent}) is damaged; {ESTIMATE_NOTE}",
        )
    return lambda text: len(encoding.encode_ordinary(text)), ""


def _base_model(model: str) -> str:
    """Return the model that a fine-tuned one (`ft:MODEL:organisation:...`) was made of."""
    kind, _, rest = model.partition(":")
    return rest.partition(":")[0] if kind == "ft" else model


def _load_cached_encoding(name: str) -> Any:
    """Return an encoding from tiktoken's cache; raise OSError where it would be downloaded."""
    import tiktoken
    from tiktoken import load

    def refused(address: str) -> bytes:
        raise OSError(address)

    read_file = load.read_file
    load.read_file = refused  # type: ignore[assignment]
    try:
        return tiktoken.get_encoding(name)
    finally:
        load.read_file = read_file


ESTIMATE_NOTE = (
    "4 characters count as a token, OpenAI's rule of thumb for English; other languages need more"
)


def _estimate_tokens(text: str) -> int:
    return -(-len(text) // 4)


def _cache_path(name: str) -> Path:
    """Return where tiktoken keeps an encoding (tiktoken/load.py): it is never downloaded here."""
    default = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", default))
    return Path(folder) / hashlib.sha1(ENCODINGS.format(name).encode()).hexdigest()
