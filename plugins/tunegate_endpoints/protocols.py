"""The two protocols: what a request looks like, and how its reply is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from . import shapes
from .settings import Settings
from .trouble import Failure, Reply

Messages = Sequence[Mapping[str, Any]]


class Provider(Protocol):
    """A protocol: how to ask, and how to read what comes back."""

    name: str
    path: str
    key_env: str
    base_env: str
    official_url: str

    def defaults(self, base_url: str) -> dict[str, Any]:
        """Return the settings that differ from Settings' own at this address."""

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return the headers that carry the key, "" for none, and what the protocol wants."""

    def body(self, settings: Settings, messages: Messages) -> dict[str, Any]:
        """Return the request's body; raise ValueError for messages that it cannot carry."""

    def read_reply(self, data: bytes) -> Reply | Failure:
        """Read the body of a reply with status 200; whatever it holds, nothing is raised."""


_SENT_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")  # not `weight`, and the like


class OpenAIProvider:
    """Chat completions, as OpenAI, Azure, vLLM, Ollama, llama.cpp and transformers speak them.

    Source: https://platform.openai.com/docs/api-reference/chat
    """

    name: str = "openai"
    path: str = "/chat/completions"
    key_env: str = "OPENAI_API_KEY"
    base_env: str = "OPENAI_BASE_URL"
    official_url: str = "https://api.openai.com/v1"

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
        """Take the first choice's text; a refusal is an answer too, a filter's silence is none."""
        return shapes.read_completion(data)


class AnthropicProvider:
    """Messages. Source: https://docs.anthropic.com/en/api/messages"""

    name: str = "anthropic"
    path: str = "/v1/messages"
    key_env: str = "ANTHROPIC_API_KEY"
    base_env: str = "ANTHROPIC_BASE_URL"
    official_url: str = "https://api.anthropic.com"

    def defaults(self, base_url: str) -> dict[str, Any]:
        """Return none."""
        return {}

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return the key's header, and the version of the protocol."""
        return {**({header or "x-api-key": key} if key else {}), "anthropic-version": "2023-06-01"}

    def body(self, settings: Settings, messages: Messages) -> dict[str, Any]:
        """Return the body: system prompts stand beside the messages."""
        if unsupported_roles := {str(m["role"]) for m in messages} - {
            "system",
            "user",
            "assistant",
        }:
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
        return shapes.read_message(data)


def _sampling(settings: Settings) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if settings.temperature != "default":
        fields["temperature"] = settings.temperature
    if settings.seed is not None:
        fields["seed"] = settings.seed
    return fields | settings.extra
