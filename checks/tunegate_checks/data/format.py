"""Chat format: is every row one that a fine-tuning service, and a chat template, will take?

The rules are those of OpenAI's chat fine-tuning files, which other providers and trl share:
https://platform.openai.com/docs/guides/supervised-fine-tuning and the Chat Completions reference.
The checker in OpenAI's cookbook is older than they are: it refuses OpenAI's own example, and lets
pass a row that ends on the user, `weight: 0.5`, and a row whose every weight is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tunegate.checking import parallel
from tunegate.checking.decorator import check
from tunegate.data.dataset import Dataset, Example, rejected_messages
from tunegate.results.finding import Finding

from . import _tool_calls
from ._tool_calls import Fault, format_json

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MESSAGE_KEYS = (
    "role",
    "content",
    "name",
    "weight",
    "refusal",
    "tool_calls",
    "tool_call_id",
    "function_call",
)
PART_TYPES = {
    "text": "text",
    "image_url": "image_url",
    "input_audio": "input_audio",
    "file": "file",
}
REMEDY = "write the text, or leave the row out"
CONTENT_ALTERNATIVES = (
    "tool_calls",
    "function_call",
    "refusal",
)  # what an assistant may say instead of text


@check(name="format")
def find(dataset: Dataset, *, fewest: int = 10, largest: float = 512) -> Iterator[Finding]:
    """No row breaks the chat format, and the file is of a size that is taken.

    `fewest` counts examples, `largest` megabytes (10^6 bytes). Lines that could not be read at all
    come first. What a row carries beside its messages (a language, a source) is its own affair;
    an unknown key inside a message is a fault, since nobody would act on it. The rejected reply of
    a preference is held to the same rules as the preferred one, in its place.
    """
    yield from dataset.problems
    yield from _size_findings(dataset, fewest, largest)
    yield from parallel.run_in_chunks(_row_findings, dataset)


def _row_findings(dataset: Dataset) -> Iterator[Finding]:
    for example in dataset:
        for kind, evidence in (*_faults(example), *_rejected_faults(example)):
            yield Finding(example.row, example.line, kind, evidence, hint=kind == "developer")


def _size_findings(dataset: Dataset, fewest: int, largest: float) -> Iterator[Finding]:
    n = len(dataset)
    if n < fewest:
        too_few_text = f"{n} examples; at least {fewest} are needed, so {fewest - n} more"
        yield Finding(None, None, "too few", too_few_text)
    size = dataset.path.stat().st_size / 1e6 if dataset.path.is_file() else 0.0
    if size > largest:
        evidence = f"the file has {size:,.0f} MB; at most {largest:,.0f} MB are taken"
        yield Finding(None, None, "too large", evidence)


def _rejected_faults(example: Example) -> Iterator[Fault]:
    """Yield what is wrong with the rejected reply, as if it were the row's last message."""
    if messages := rejected_messages(example):
        last = f"messages[{len(messages) - 1}]"
        for kind, evidence in _faults(Example(0, 0, {**example.fields, "messages": messages})):
            if evidence.startswith(last):
                yield kind, f"rejected[0]{evidence.removeprefix(last)}"


def _faults(example: Example) -> Iterator[Fault]:
    messages = example.messages
    for i, message in enumerate(messages):
        path = f"messages[{i}]"
        yield from _key_faults(path, message)
        yield from _content_faults(path, message)
        yield from _weight_faults(path, message)
    yield from _order_faults(messages)
    yield from _tool_calls.tool_call_faults(messages, example.fields.get("tools"))
    yield from _untrainable_faults(messages)


def _key_faults(path: str, message: Mapping[str, Any]) -> Iterator[Fault]:
    role = message["role"]
    if role not in ROLES:
        yield "role", f"{path}.role is {format_json(role)}; one of {', '.join(ROLES)} is valid"
    if role == "developer":
        advice = "only newer OpenAI models know it; `system` is understood everywhere"
        yield "developer", f"{path}.role is 'developer': {advice}"
    for key in message:
        if key not in MESSAGE_KEYS:
            yield (
                "key",
                f"{path} has the key {format_json(key)}; valid are {', '.join(MESSAGE_KEYS)}",
            )
    if "name" in message and not (isinstance(message["name"], str) and message["name"].strip()):
        yield "name", f"{path}.name is {format_json(message['name'])}; a text is needed, or no name"


def _content_faults(path: str, message: Mapping[str, Any]) -> Iterator[Fault]:
    content = message.get("content")
    may_be_empty = message["role"] == "assistant" and any(
        message.get(k) for k in CONTENT_ALTERNATIVES
    )
    if content is None:
        if not may_be_empty:
            description = "null" if "content" in message else "missing"
            yield "content", f"{path}.content is {description}; only beside tool_calls may it be"
    elif isinstance(content, str):
        remedy = "write null, beside tool_calls" if may_be_empty else REMEDY
        yield from _text_faults(f"{path}.content", content, remedy)
    elif not content:
        yield "empty", f"{path}.content is an empty list; at least one part is needed"
    else:
        for i, part in enumerate(content):
            yield from _part_faults(f"{path}.content[{i}]", part, message["role"])


def _text_faults(path: str, text: str, remedy: str = REMEDY) -> Iterator[Fault]:
    if not text.strip():
        yield "empty", f"{path} is {'blank' if text else 'empty'}; {remedy}"
    elif "\0" in text:
        yield "content", f"{path} holds a NUL character at {text.index(chr(0)) + 1}; remove it"


def _part_faults(path: str, part: Any, role: str) -> Iterator[Fault]:
    if not isinstance(part, dict):
        yield "content", f"{path} is {format_json(part)}; an object with a `type` is needed"
        return
    valid = [*PART_TYPES] if role == "user" else ["text"]
    kind = part.get("type")
    if kind not in valid:
        yield (
            "content",
            f"{path}.type is {format_json(kind)}; from {role}, valid is {', '.join(valid)}",
        )
    elif kind != "text":
        if not isinstance(part.get(kind), dict):
            yield "content", f"{path}.{kind} is {format_json(part.get(kind))}; an object is needed"
    elif isinstance(part.get("text"), str):
        yield from _text_faults(f"{path}.text", part["text"])
    else:
        yield "content", f"{path}.text is {format_json(part.get('text'))}; a text is needed"


def _weight_faults(path: str, message: Mapping[str, Any]) -> Iterator[Fault]:
    if "weight" not in message:
        return
    weight = message["weight"]
    if type(weight) is not int or weight not in (0, 1):  # True and 1.0 equal 1, and are refused
        yield "weight", f"{path}.weight is {format_json(weight)}; 0 or 1 is valid"
    if message["role"] != "assistant":
        role = format_json(message["role"])
        yield "weight", f"{path}.weight stands on {role}; only the assistant's messages have one"


def _order_faults(messages: Any) -> Iterator[Fault]:
    previous_role = ""
    for i, message in enumerate(messages):
        role, path = message["role"], f"messages[{i}]"
        if role in ("system", "developer"):
            if i > 0:
                yield "order", f"{path} is from {role}; its place is first, once"
            continue
        if role == previous_role and role in ("user", "assistant"):
            yield "order", f"{path} is from {role}, as the one before it; join the two"
        if role == "assistant" and not previous_role:
            yield "order", f"{path} is from assistant, with nothing from the user before it"
        previous_role = role


def _untrainable_faults(messages: Any) -> Iterator[Fault]:
    """Training needs a reply to learn: the last message, with a weight that is not 0."""
    last = messages[-1]["role"]
    if last != "assistant":
        path = f"messages[{len(messages) - 1}]"
        yield (
            "last",
            f"{path}, the last, is from {format_json(last)}; the assistant must have the last word",
        )
    replies = [m for m in messages if m["role"] == "assistant"]
    if replies and all(type(m.get("weight")) is int and m["weight"] == 0 for m in replies):
        yield "weight", "every assistant message has weight 0; nothing of the row would be learnt"
