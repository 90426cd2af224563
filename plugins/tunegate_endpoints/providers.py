"""The wire formats of OpenAI and Anthropic: request bodies, and replies validated with pydantic.

A reply that is not what the protocol says becomes a Failure, never an exception.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, Field, ValidationError

from tunegate.utils.text import cut

from .settings import Settings

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer as the server sent it.

    `has_token_counts` is false where the server sent no usage; the token counts are then 0.
    """

    text: str
    finish: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    has_token_counts: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no reply, in one line, and whether trying again may help."""

    reason: str
    retryable: bool = False  # another try may succeed
    max_tries: int = 1000  # more are not worth while
    overloaded: bool = False  # the server asks for fewer requests
    retry_after: float | None = None  # seconds that the server asks for
    fatal: bool = False  # no request of this session can succeed
    billed: bool = False  # the server may have done the work
    reached: bool = True  # something answered at that address


class Provider(Protocol):
    """The wire format of a provider: how a request is written and how its reply is read."""

    name: str
    path: str
    key_env: str
    base_env: str
    official_url: str

    def defaults(self, base_url: str) -> dict[str, Any]:
        """Return the settings that differ from Settings' own at this address."""
        return {}

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return the headers that carry the key, "" for none, and what the protocol wants."""

    def body(self, settings: Settings, messages: Messages) -> dict[str, Any]:
        """Return the request's body; raise ValueError for messages that it cannot carry."""

    def read_reply(self, data: bytes) -> Reply | Failure:
        """Read the body of a reply with status 200; whatever it holds, nothing is raised."""


# Keys of a message that are sent; `weight` and others are for training alone.
_SENT_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")


class OpenAIProvider(Provider):
    """Chat completions, as OpenAI, Azure, vLLM, Ollama, llama.cpp and transformers speak them.

    Source: https://platform.openai.com/docs/api-reference/chat
    """

    name = "openai"
    path = "/chat/completions"
    key_env = "OPENAI_API_KEY"
    base_env = "OPENAI_BASE_URL"
    official_url = "https://api.openai.com/v1"

    def defaults(self, base_url: str) -> dict[str, Any]:
        """OpenAI's newer models refuse `max_tokens`; other servers may not know its new name."""
        is_openai = base_url.startswith("https://api.openai.com/")
        return {"max_tokens_field": "max_completion_tokens"} if is_openai else {}

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return `Authorization: Bearer KEY`, or the key alone under another header."""
        if not key:
            return {}
        return {header: key} if header else {"Authorization": f"Bearer {key}"}

    def body(self, settings: Settings, messages: Messages) -> dict[str, Any]:
        """Return the body."""
        sent_messages = [{k: m[k] for k in _SENT_KEYS if m.get(k) is not None} for m in messages]
        limit: dict[str, Any] = {settings.max_tokens_field: settings.max_tokens}
        return {"model": settings.model, "messages": sent_messages, **limit, **_sampling(settings)}

    def read_reply(self, data: bytes) -> Reply | Failure:
        """Return the first choice's text; a refusal is an answer, filtered text a Failure."""
        parsed = _parse(ChatCompletion, data, "chat completion")
        if isinstance(parsed, Failure):
            return parsed
        choice, usage = parsed.choices[0], parsed.usage or _Usage()
        content = choice.message.content
        text = "".join(p.text for p in content) if isinstance(content, list) else content
        counts = usage.prompt_tokens, usage.completion_tokens
        text = choice.message.refusal if text is None else text
        return _make_reply(text, choice.finish_reason, *counts, parsed.usage is not None)


class AnthropicProvider(Provider):
    """Messages. Source: https://docs.anthropic.com/en/api/messages"""

    name = "anthropic"
    path = "/v1/messages"
    key_env = "ANTHROPIC_API_KEY"
    base_env = "ANTHROPIC_BASE_URL"
    official_url = "https://api.anthropic.com"

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return the key's header, and the version of the protocol."""
        return {**({header or "x-api-key": key} if key else {}), "anthropic-version": "2023-06-01"}

    def body(self, settings: Settings, messages: Messages) -> dict[str, Any]:
        """Return the body: system prompts stand beside the messages."""
        roles = {str(m["role"]) for m in messages}
        if unsupported_roles := roles - {"system", "user", "assistant"}:
            raise ValueError(
                f"anthropic takes no messages of role {', '.join(sorted(unsupported_roles))}"
            )
        if not all(isinstance(m.get("content"), str) for m in messages):
            raise ValueError("anthropic is asked with messages of plain text only")
        system = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
        sent_messages = [
            {"role": m["role"], "content": m["content"]} for m in messages if m["role"] != "system"
        ]
        body: dict[str, Any] = {
            "model": settings.model,
            "max_tokens": settings.max_tokens,
            "messages": sent_messages,
        }
        return {**body, **({"system": system} if system else {}), **_sampling(settings)}

    def read_reply(self, data: bytes) -> Reply | Failure:
        """Join the blocks of text."""
        parsed = _parse(AnthropicMessage, data, "message")
        if isinstance(parsed, Failure):
            return parsed
        usage = parsed.usage or _AnthropicUsage()
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        counts = usage.input_tokens + cached, usage.output_tokens
        texts = [part.text for part in parsed.content if part.type == "text"]
        text = "".join(texts) if texts else None
        return _make_reply(text, parsed.stop_reason, *counts, parsed.usage is not None)


def _sampling(settings: Settings) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if settings.temperature != "default":
        fields["temperature"] = settings.temperature
    if settings.seed is not None:
        fields["seed"] = settings.seed
    return fields | settings.extra


Count = Annotated[int, Field(ge=0, le=10**12)]
FINISH_REASONS = {
    **{"stop": "stop", "end_turn": "stop", "stop_sequence": "stop"},
    **{"length": "length", "max_tokens": "length", "model_context_window_exceeded": "length"},
}
FILTERED_REASONS = {"content_filter", "refusal"}  # the server's filter cut the answer off


class ContentPart(BaseModel):
    """A part of a content: text, or something else that is passed over."""

    type: str = ""
    text: str = ""


class _Message(BaseModel):
    content: str | list[ContentPart] | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class ChatCompletion(BaseModel):
    """A chat completion."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


class _AnthropicUsage(BaseModel):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_creation_input_tokens: Count | None = 0
    cache_read_input_tokens: Count | None = 0


class AnthropicMessage(BaseModel):
    """Anthropic's message."""

    content: list[ContentPart]
    stop_reason: str | None = None
    usage: _AnthropicUsage | None = None


T = TypeVar("T", bound=BaseModel)


def _make_reply(
    text: str | None, reason: str | None, prompt_tokens: int, tokens: int, counted: bool
) -> Reply | Failure:
    if reason in FILTERED_REASONS:
        return Failure(f"the server's filter held the answer back ({reason})", billed=True)
    if text is None:
        more = ": raise max_tokens" if FINISH_REASONS.get(reason or "") == "length" else ""
        return Failure(f"no text in the answer (finished: {reason}){more}", billed=True)
    return Reply(text, FINISH_REASONS.get(reason or "", ""), prompt_tokens, tokens, counted)


def _parse(model: type[T], data: bytes, name: str) -> T | Failure:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first_error = error.errors()[0]
    if first_error["type"] == "json_invalid":
        description = "an HTML page" if b"<html" in data[:1000].lower() else "no JSON"
        start = repr(cut(data.decode("utf-8", "replace"), 60)) if data else "it is empty"
        return Failure(f"the reply is {description}: {start}", billed=True)
    if error_message := error_message_of(data):
        return Failure(f"the reply is an error: {error_message}", billed=True)
    field_path = ".".join(map(str, first_error["loc"]))
    return Failure(f"the reply is no {name}: {field_path}: {first_error['msg']}", billed=True)


def error_message_of(data: bytes) -> str:
    """Return what an error object says: `{"error": {"message": ...}}` and its cousins, or ""."""
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    message_found: Any = ""
    for key in ("error", "message", "detail"):
        if isinstance(content, dict) and content.get(key):
            content = message_found = content[key]
    return message_found if isinstance(message_found, str) else json.dumps(message_found)


def error_code_of(data: bytes) -> str:
    """Return the code or type of an error object, or ""."""
    try:
        error: Any = json.loads(data)["error"]
        return str(error.get("code") or error.get("type") or "")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ""
