"""Counts the tokens that a row has at OpenAI, and those that are trained on."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.canonical import content_text
from ..data.dataset import Example
from .encode import is_trained_on

# Tokens around each message and the last reply: OpenAI's cookbook, "How to count tokens with
# tiktoken".
PER_MESSAGE, PER_NAME, PER_REPLY = 3, 1, 3
ENCODINGS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"  # tiktoken's own
ESTIMATE_NOTE = (
    "4 characters count as a token, OpenAI's rule of thumb for English; other languages need more"
)


@dataclass(frozen=True, slots=True)
class TokenCount:
    """The tokens of a row: all, those trained on, and where the last trained message begins."""

    length: int
    trained: int
    answer_start: int


class OpenAITokenCounter:
    """Counts by tiktoken's encoding of a model, or four characters as a token.

    `estimate` says why the count is only an estimate; it is "" if it is exact. The encoding must be
    in tiktoken's cache: nothing is downloaded.
    """

    max_tokens = 2**31

    def __init__(self, model: str) -> None:
        self.count_tokens, self.estimate = _token_counter(model)

    def __call__(self, example: Example) -> TokenCount:
        """Count a row: its messages, its tools, and the tokens that each message adds."""
        tools = example.fields.get("tools")
        length = self.count_tokens(json.dumps(tools, ensure_ascii=False)) if tools else 0
        trained = answer_start = 0
        for message in example.messages:
            calls = message.get("tool_calls") or message.get("function_call")
            name = str(message.get("name") or "")
            texts = [str(message["role"]), content_text(message), name]
            texts += [json.dumps(calls, ensure_ascii=False)] if calls else []
            size = PER_MESSAGE + PER_NAME * bool(name) + sum(map(self.count_tokens, texts))
            if is_trained_on(message):
                trained, answer_start = trained + size - PER_MESSAGE, length + PER_MESSAGE
            length += size
        return TokenCount(length + PER_REPLY, trained, answer_start)


def _token_counter(model: str) -> tuple[Callable[[str], int], str]:
    """Return a function that counts a text's tokens, and why it estimates them ("" if not)."""
    kind, _, rest = model.partition(":")
    base = rest.partition(":")[0] if kind == "ft" else model  # ft:BASE:organisation:...
    try:
        import tiktoken

        encoding = cached_encoding(tiktoken.encoding_name_for_model(base))
        return lambda text: len(encoding.encode_ordinary(text)), ""
    except ImportError:
        reason = "tiktoken is not installed"
    except KeyError:
        reason = f"tiktoken knows no encoding of {model!r}"
    except OSError as error:
        reason = str(error)
    return lambda text: -(-len(text) // 4), f"{reason}; {ESTIMATE_NOTE}"


def cached_encoding(name: str) -> Any:
    """Return an encoding from tiktoken's cache; raise OSError instead of downloading it.

    All that we assume of tiktoken's inside stands here: where `tiktoken.load` keeps a file, and
    that it downloads one with `read_file`.
    """
    import tiktoken
    from tiktoken import load

    default = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", default))
    if not Path(folder, hashlib.sha1(ENCODINGS.format(name).encode()).hexdigest()).is_file():
        raise OSError(f"tiktoken's {name} is not in its cache ({folder})")

    def refuse_download(address: str) -> bytes:
        raise OSError(f"tiktoken's {name} in its cache ({folder}) is damaged")

    read_file = load.read_file
    load.read_file = refuse_download  # type: ignore[assignment]
    try:
        return tiktoken.get_encoding(name)
    finally:
        load.read_file = read_file
