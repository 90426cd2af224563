"""The two protocols: what a request looks like, and how its reply is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from . import shapes
from .settings import Settings
from .trouble import Reply, Trouble

Messages = Sequence[Mapping[str, Any]]


class Wire(Protocol):
    """A protocol: how to ask, and how to read what comes back."""

    name: str
    path: str
    key_env: str
    base_env: str
    official: str

    def defaults(self, base_url: str) -> dict[str, Any]:
        """Return the settings that differ from Settings' own at this address."""

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return the headers that carry the key, "" for none, and what the protocol wants."""

    def body(self, settings: Settings, messages: Messages) -> dict[str, Any]:
        """Return the request's body; raise ValueError for messages that it cannot carry."""

    def read(self, data: bytes) -> Reply | Trouble:
        """Read the body of a reply with status 200; whatever it holds, nothing is raised."""


_SENT = ("role", "content", "name", "tool_calls", "tool_call_id")  # not `weight`, and the like


class OpenAI:
    """Chat completions, as OpenAI, Azure, vLLM, Ollama, llama.cpp and transformers speak them.

    Source: https://platform.openai.com/docs/api-reference/chat
    """

    name: str = "openai"
    path: str = "/chat/completions"
    key_env: str = "OPENAI_API_KEY"
    base_env: str = "OPENAI_BASE_URL"
    official: str = "https://api.openai.com/v1"

    def defaults(self, base_url: str) -> dict[str, Any]:
        """OpenAI's newer models refuse `max_tokens`; other servers may not know its new name."""
        own = base_url.startswith("https://api.openai.com/")
        return {"max_tokens_field": "max_completion_tokens"} if own else {}

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return `Authorization: Bearer KEY`, or the key alone under another header."""
        if not key:
            return {}
        return {header: key} if header else {"Authorization": f"Bearer {key}"}

    def body(self, settings: Settings, messages: Messages) -> dict[str, Any]:
        """Return the body."""
        told = [{k: m[k] for k in _SENT if m.get(k) is not None} for m in messages]
        limit: dict[str, Any] = {settings.max_tokens_field: settings.max_tokens}
        return {"model": settings.model, "messages": told, **limit, **_sampling(settings)}

    def read(self, data: bytes) -> Reply | Trouble:
        """Take the first choice's text; a refusal is an answer too, a filter's silence is none."""
        return shapes.completion(data)


class Anthropic:
    """Messages. Source: https://docs.anthropic.com/en/api/messages"""

    name: str = "anthropic"
    path: str = "/v1/messages"
    key_env: str = "ANTHROPIC_API_KEY"
    base_env: str = "ANTHROPIC_BASE_URL"
    official: str = "https://api.anthropic.com"

    def defaults(self, base_url: str) -> dict[str, Any]:
        """Return none."""
        return {}

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return the key's header, and the version of the protocol."""
        return {**({header or "x-api-key": key} if key else {}), "anthropic-version": "2023-06-01"}

    def body(self, settings: Settings, messages: Messages) -> dict[str, Any]:
        """Return the body: system prompts stand beside the messages."""
        if odd := {str(m["role"]) for m in messages} - {"system", "user", "assistant"}:
            raise ValueError(f"anthropic takes no messages of role {', '.join(sorted(odd))}")
        if not all(isinstance(m.get("content"), str) for m in messages):
            raise ValueError("anthropic is asked with messages of plain text only")
        system = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
        told = [
            {"role": m["role"], "content": m["content"]} for m in messages if m["role"] != "system"
        ]
        body: dict[str, Any] = {
            "model": settings.model,
            "max_tokens": settings.max_tokens,
            "messages": told,
        }
        return {**body, **({"system": system} if system else {}), **_sampling(settings)}

    def read(self, data: bytes) -> Reply | Trouble:
        """Join the blocks of text."""
        return shapes.message(data)


def _sampling(settings: Settings) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if settings.temperature != "default":
        told["temperature"] = settings.temperature
    if settings.seed is not None:
        told["seed"] = settings.seed
    return told | settings.extra
