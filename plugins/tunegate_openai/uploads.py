"""The training file at the provider: uploaded once, found again by what it holds."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate import Dataset
from tunegate.protocols import TrainingFailed

if TYPE_CHECKING:
    from openai import OpenAI

# What a line of a chat fine-tuning file may hold; anything else is refused after the upload.
KEYS = ("messages", "tools", "parallel_tool_calls", "functions")
TRIES = 4


def content(path: Path, columns: Mapping[str, str]) -> bytes:
    """Return a snapshot as the protocol wants it: a line of JSON for each example, in order.

    A file that is this already goes out byte for byte.
    """
    dataset = Dataset.read(path, columns=columns or None)
    data = path.read_bytes()
    lines = data.decode("utf-8", "replace").splitlines()
    if len(lines) == len(dataset) and all(_is_row(line) for line in lines):
        return data
    rows = ({k: e.fields[k] for k in KEYS if k in e.fields} for e in dataset)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _is_row(line: str) -> bool:
    try:
        row = json.loads(line)
    except ValueError:
        return False
    return isinstance(row, dict) and "messages" in row and set(row) <= set(KEYS)


def uploaded(client: OpenAI, data: bytes, sleep: Callable[[float], None] = time.sleep) -> str:
    """Return the id of the provider's file with these bytes; it is uploaded where there is none.

    The file is named after the sha256 of its bytes: that is how it is found again. An upload that
    broke off is looked for before it is tried again. Raises what the client raises at last.
    """
    from openai import APIConnectionError, InternalServerError, RateLimitError

    name = f"{hashlib.sha256(data).hexdigest()}.jsonl"
    for attempt in range(TRIES):
        if known := _find(client, name, len(data)):
            return known
        try:
            file = client.files.create(file=(name, data), purpose="fine-tune")
        except (APIConnectionError, InternalServerError, RateLimitError):
            if attempt == TRIES - 1:
                raise
            sleep(2.0**attempt)
        else:
            return _whole(file, len(data))
    raise AssertionError("unreachable")


def _find(client: OpenAI, name: str, size: int) -> str:
    fitting = (f for f in client.files.list(purpose="fine-tune") if f.filename == name)
    return next((f.id for f in fitting if f.bytes == size and f.status != "error"), "")


def _whole(file: Any, size: int) -> str:
    if file.bytes != size:
        raise TrainingFailed(
            f"{file.id} holds {file.bytes:,} of {size:,} bytes: the upload broke off; delete it "
            f"at the provider, then run the same command"
        )
    return str(file.id)
