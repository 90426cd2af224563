"""The training file at the provider: uploaded once, found again by what it holds."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate import Dataset, Example
from tunegate.data.dataset import rejected_reply
from tunegate.data.formats import OPENAI_TOOL_KEYS, REJECTED
from tunegate.interfaces.trainer import TrainingFailed
from tunegate.utils.hashing import sha256_bytes

from .client import retry_after_seconds

if TYPE_CHECKING:
    from openai import OpenAI


# What a line of a chat fine-tuning file may hold; anything else is refused after the upload.
CHAT_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")
MAX_TRIES = 4


def upload_content(path: Path, columns: Mapping[str, str], method: str = "supervised") -> bytes:
    """Return a snapshot as the protocol wants it: a line of JSON for each example, in order.

    A file that is this already goes out byte for byte. `supervised` learns the preferred reply of
    a preference; `dpo` needs both: raises TrainingFailed for a row without a rejected one.
    """
    dataset = Dataset.read(path, columns=columns or None)
    if method == "dpo" and (missing_rejected := missing_rejected_message(dataset)):
        raise TrainingFailed(
            f'{path.name}: {missing_rejected}; method = "dpo" needs one in each row'
        )
    rows = [(_preference_row if method == "dpo" else _chat_row)(example) for example in dataset]
    data = path.read_bytes()
    lines = data.decode("utf-8", "replace").splitlines()
    if len(lines) == len(rows) and all(map(_is_row, lines, rows)):
        return data
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def missing_rejected_message(dataset: Dataset) -> str:
    """Return one line that says where rows have no rejected reply, "" where all have one."""
    lines = [example.line for example in dataset if not rejected_reply(example)]
    if not lines:
        return ""
    count = f"{len(lines):,} of {len(dataset):,} rows have none"
    return f"line {lines[0]} has no rejected reply ({count})"


def _chat_row(example: Example) -> dict[str, Any]:
    return {key: example.fields[key] for key in CHAT_KEYS if key in example.fields}


def _preference_row(example: Example) -> dict[str, Any]:
    """Source: https://platform.openai.com/docs/api-reference/fine-tuning/preference-input"""
    *prompt_messages, preferred = example.messages
    tool_fields = {key: example.fields[key] for key in OPENAI_TOOL_KEYS if key in example.fields}
    outputs = {"preferred_output": [preferred], "non_preferred_output": example.fields[REJECTED]}
    return {"input": {"messages": prompt_messages, **tool_fields}, **outputs}


def _is_row(line: str, row: Mapping[str, Any]) -> bool:
    try:
        return bool(json.loads(line) == row)
    except ValueError:
        return False


def upload_once(client: OpenAI, data: bytes, sleep: Callable[[float], None] = time.sleep) -> str:
    """Return the id of the provider's file with these bytes; it is uploaded where there is none.

    The file is named after the sha256 of its bytes: that is how it is found again. An upload that
    broke off is looked for before it is tried again. Raises what the client raises at last.
    """
    from openai import APIConnectionError, InternalServerError, RateLimitError

    name = f"{sha256_bytes(data)}.jsonl"
    for attempt in range(MAX_TRIES):
        if file_id := _find_file(client, name, len(data)):
            return file_id
        try:
            file = client.files.create(file=(name, data), purpose="fine-tune")
        except (APIConnectionError, InternalServerError, RateLimitError) as error:
            if attempt == MAX_TRIES - 1:
                raise
            sleep(max(2.0**attempt, retry_after_seconds(error)))
        else:
            return _checked_file_id(file, len(data))
    raise AssertionError("unreachable")


def _find_file(client: OpenAI, name: str, size: int) -> str:
    same_name = (f for f in client.files.list(purpose="fine-tune") if f.filename == name)
    return next((f.id for f in same_name if f.bytes == size and f.status != "error"), "")


def _checked_file_id(file: Any, size: int) -> str:
    if file.bytes != size:
        raise TrainingFailed(
            f"{file.id} holds {file.bytes:,} of {size:,} bytes: the upload broke off; delete it "
            f"at the provider, then run the same command"
        )
    return str(file.id)


# [merged] From a line of the uploaded file, which a provider complains of, to a line of the user's own.

_LINE_NUMBER = re.compile(r"\b(?:line|row|example)s?\s+#?(\d+)", re.IGNORECASE)


def row_of_line(message: str, dataset: Dataset) -> str:
    """Return ` (line 3 there is line 5 of the training data)` for what a message names, or "".

    Line n of the upload is example n, counted from 1.
    """
    match = _LINE_NUMBER.search(message)
    number = int(match.group(1)) if match else 0
    if not 1 <= number <= len(dataset):
        return ""
    return f" (line {number} there is line {dataset[number - 1].line} of the training data)"
