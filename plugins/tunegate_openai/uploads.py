"""Uploads training files once, and maps the provider's line numbers back to the user's rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate import Dataset, Example
from tunegate.data.formats.preferences import OPENAI_TOOL_KEYS
from tunegate.data.formats.row_format import REJECTED
from tunegate.interfaces.trainer import TrainingFailed
from tunegate.utils.hashing import sha256_bytes

from .client import attempts

if TYPE_CHECKING:
    from openai import OpenAI


# What a line of a chat fine-tuning file may hold; anything else is refused after the upload.
CHAT_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")
MAX_TRIES = 4

# A line number in a provider's message.
_LINE_NUMBER = re.compile(r"\b(?:line|row|example)s?\s+#?(\d+)", re.IGNORECASE)


def upload_content(path: Path, columns: Mapping[str, str], method: str = "supervised") -> bytes:
    """Return the bytes to upload for a snapshot: one JSON object a line for each example, in order.

    A file that is in this form already is returned as it is. `supervised` learns the preferred
    reply of a preference; `dpo` needs both: raises TrainingFailed for a row without a rejected one.
    """
    dataset = Dataset.read(path, columns=columns or None)
    if method == "dpo":
        if missing := missing_rejected_message(dataset):
            raise TrainingFailed(f'{path.name}: {missing}; method = "dpo" needs one in each row')
        rows = [_preference_row(example) for example in dataset]
    else:
        rows = [{k: e.fields[k] for k in CHAT_KEYS if k in e.fields} for e in dataset]
    data = path.read_bytes()
    lines = data.decode("utf-8", "replace").splitlines()
    try:
        if [json.loads(line) for line in lines] == rows:
            return data
    except ValueError:
        pass  # some line is not JSON: the rows are written anew
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def missing_rejected_message(dataset: Dataset) -> str:
    """Return one line that says where rows have no rejected reply, "" where all have one."""
    lacking = dataset.without_rejected()
    if not lacking:
        return ""
    count = f"{len(lacking):,} of {len(dataset):,} rows have none"
    return f"line {lacking[0].line} has no rejected reply ({count})"


def _preference_row(example: Example) -> dict[str, Any]:
    """Return a row with both replies, by OpenAI's API reference, fine-tuning/preference-input."""
    *prompt_messages, preferred = example.messages
    tool_fields = {key: example.fields[key] for key in OPENAI_TOOL_KEYS if key in example.fields}
    outputs = {"preferred_output": [preferred], "non_preferred_output": example.fields[REJECTED]}
    return {"input": {"messages": prompt_messages, **tool_fields}, **outputs}


def upload_once(client: OpenAI, data: bytes) -> str:
    """Return the id of the provider's file with these bytes, uploading it where there is none.

    The file is named after the sha256 of its bytes and found again by that name, also after an
    upload that broke off. Raises what the client raises at the last of MAX_TRIES tries.
    """
    name, size = f"{sha256_bytes(data)}.jsonl", len(data)
    for attempt in attempts(MAX_TRIES, first_wait=1.0, longest_wait=60.0):
        with attempt:
            for listed in client.files.list(purpose="fine-tune"):
                if (listed.filename, listed.bytes) == (name, size) and listed.status != "error":
                    return listed.id
            file = client.files.create(file=(name, data), purpose="fine-tune")
            if file.bytes != size:
                broken = f"{file.id} holds {file.bytes:,} of {size:,} bytes: the upload broke off"
                advice = "delete it at the provider, then run the same command"
                raise TrainingFailed(f"{broken}; {advice}")
            return str(file.id)
    raise AssertionError("unreachable")


def row_of_line(message: str, dataset: Dataset) -> str:
    """Return ` (line 3 there is line 5 of the training data)` for what a message names, or ""."""
    match = _LINE_NUMBER.search(message)
    number = int(match.group(1)) if match else 0
    if not 1 <= number <= len(dataset):
        return ""
    return f" (line {number} there is line {dataset[number - 1].line} of the training data)"
