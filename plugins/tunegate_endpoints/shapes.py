"""The replies that servers send, validated: garbage is one line of trouble, never an exception."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from .trouble import Reply, Trouble

Count = Annotated[int, Field(ge=0, le=10**12)]
FINISHES = {
    **{"stop": "stop", "end_turn": "stop", "stop_sequence": "stop"},
    **{"length": "length", "max_tokens": "length", "model_context_window_exceeded": "length"},
}
HELD_BACK = {"content_filter", "refusal"}  # the server's filter: the model never finished


class Part(BaseModel):
    """A part of a content: text, or something else that is passed over."""

    type: str = ""
    text: str = ""


class _Message(BaseModel):
    content: str | list[Part] | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class Completion(BaseModel):
    """A chat completion."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


class _Counted(BaseModel):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_creation_input_tokens: Count | None = 0
    cache_read_input_tokens: Count | None = 0

    @property
    def prompt(self) -> int:
        cached = (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)
        return self.input_tokens + cached


class Message(BaseModel):
    """Anthropic's message."""

    content: list[Part]
    stop_reason: str | None = None
    usage: _Counted | None = None


T = TypeVar("T", bound=BaseModel)


def completion(data: bytes) -> Reply | Trouble:
    """Read a chat completion."""
    read = _read(Completion, data, "chat completion")
    if isinstance(read, Trouble):
        return read
    choice, usage = read.choices[0], read.usage or _Usage()
    said = choice.message.content
    text = "".join(p.text for p in said) if isinstance(said, list) else said
    counts = usage.prompt_tokens, usage.completion_tokens
    text = choice.message.refusal if text is None else text
    return _reply(text, choice.finish_reason, *counts, read.usage is not None)


def message(data: bytes) -> Reply | Trouble:
    """Read Anthropic's message."""
    read = _read(Message, data, "message")
    if isinstance(read, Trouble):
        return read
    usage = read.usage or _Counted()
    texts = [part.text for part in read.content if part.type == "text"]
    counts = usage.prompt, usage.output_tokens
    text = "".join(texts) if texts else None
    return _reply(text, read.stop_reason, *counts, read.usage is not None)


def _reply(
    text: str | None, reason: str | None, prompt_tokens: int, tokens: int, counted: bool
) -> Reply | Trouble:
    if reason in HELD_BACK:
        return Trouble(f"the server's filter held the answer back ({reason})", billed=True)
    if text is None:
        more = ": raise max_tokens" if FINISHES.get(reason or "") == "length" else ""
        return Trouble(f"no text in the answer (finished: {reason}){more}", billed=True)
    return Reply(text, FINISHES.get(reason or "", ""), prompt_tokens, tokens, counted)


def _read(shape: type[T], data: bytes, name: str) -> T | Trouble:
    try:
        return shape.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
    if first["type"] == "json_invalid":
        what = "an HTML page" if b"<html" in data[:1000].lower() else "no JSON"
        return Trouble(f"the reply is {what}: {_start(data)}", billed=True)
    if complaint := complaint_of(data):
        return Trouble(f"the reply is an error: {complaint}", billed=True)
    where = ".".join(map(str, first["loc"]))
    return Trouble(f"the reply is no {name}: {where}: {first['msg']}", billed=True)


def complaint_of(data: bytes) -> str:
    """Return what an error object says: `{"error": {"message": ...}}` and its cousins, or ""."""
    try:
        told: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    found: Any = ""
    for key in ("error", "message", "detail"):
        if isinstance(told, dict) and told.get(key):
            told = found = told[key]
    return found if isinstance(found, str) else json.dumps(found)


def kind_of(data: bytes) -> str:
    """Return the code or type of an error object, or ""."""
    try:
        error: Any = json.loads(data)["error"]
        return str(error.get("code") or error.get("type") or "")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ""


def _start(data: bytes) -> str:
    return repr(data[:60].decode("utf-8", "replace")) if data else "it is empty"
