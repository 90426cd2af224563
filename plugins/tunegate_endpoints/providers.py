"""The protocols of OpenAI and Anthropic: how a request is written, and how its reply is read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunegate.data.formats.row_format import openai_messages
from tunegate.utils.strict_json import parse_json_text
from tunegate.utils.text import quote

from .reply import Failure, Reply, Usage, read_object, reply_of, text_in, token_count
from .settings import Settings

Messages = Sequence[Mapping[str, Any]]
Json = Mapping[str, Any]
# Keys of a message that are sent; `weight` and others are for training alone.
_SENT_KEYS = ("role", "content", "name", "refusal", "tool_calls", "tool_call_id", "function_call")


class OpenAIProvider:
    """Chat completions, as OpenAI, Azure, vLLM, Ollama, llama.cpp and transformers speak them.

    Source: https://platform.openai.com/docs/api-reference/chat
    """

    name = "openai"
    key_env = "OPENAI_API_KEY"
    base_env = "OPENAI_BASE_URL"
    official_url = "https://api.openai.com/v1"
    own_models = ("gpt-", "chatgpt-", "o1", "o3", "o4")

    def address(self, base_url: str) -> str:
        """Return the address; `Connection` tries whether a server wants `/v1`."""
        return base_url.removesuffix("/chat/completions") + "/chat/completions"

    def defaults(self, base_url: str) -> dict[str, Any]:
        """OpenAI's newer models refuse `max_tokens`; other servers may not know its new name."""
        is_openai = f"{base_url}/".startswith("https://api.openai.com/")
        return {"max_tokens_field": "max_completion_tokens"} if is_openai else {}

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return `Authorization: Bearer KEY`, or the key alone under another header."""
        if not key:
            return {}
        return {header: key} if header else {"Authorization": f"Bearer {key}"}

    def body(self, settings: Settings, messages: Messages, tools: Messages) -> dict[str, Any]:
        """Return the request's body."""
        sent_messages = [{k: m[k] for k in _SENT_KEYS if m.get(k) is not None} for m in messages]
        for message in sent_messages:
            if isinstance(message.get("content"), list):
                message["content"] = [*map(_openai_part, message["content"])]
        fields: dict[str, Any] = {settings.max_tokens_field: settings.max_tokens}
        fields |= {"tools": [*tools]} if tools else {}
        return {"model": settings.model, "messages": sent_messages, **fields, **_sampling(settings)}

    def json_form(self, schema: Json, extra: Json) -> dict[str, Any]:
        """Return the field of the request's body that asks for JSON of a schema."""
        form = {"name": "answer", "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": form}}

    def read_reply(self, data: bytes) -> Reply | Failure:
        """Return the reply of a body with status 200; whatever it holds, nothing is raised."""
        value = read_object(data, "chat completion", lambda v: v["choices"][0]["message"].items)
        if isinstance(value, Failure):
            return value
        choice, facts = value["choices"][0], (value.get("model"), value.get("system_fingerprint"))
        reason = choice.get("finish_reason")
        if error := choice.get("error"):
            reason = f"error: {error.get('message') if isinstance(error, dict) else error}"
        server = " ".join(fact for fact in facts if fact and isinstance(fact, str))
        return reply_of(choice["message"], reason, server, _openai_usage(value.get("usage")))


def _openai_part(part: Any) -> Any:
    """Return a part of a content as chat completions take it."""
    if not isinstance(part, dict) or isinstance(part.get("image_url"), dict):
        return part
    address = _picture_address(part)
    return {"type": "image_url", "image_url": {"url": address}} if address else part


def _openai_usage(value: Any) -> Usage:
    """Return the tokens of a reply; what the total has more than its parts is of the answer.

    Some servers leave `completion_tokens` out, or the reasoning out of them (xAI, Gemini).
    """
    usage = value if isinstance(value, dict) else {}
    counts = [token_count(usage.get(f"{of}_tokens")) for of in ("prompt", "completion", "total")]
    prompt, answer, total = counts
    if prompt is not None and total is not None:
        answer = max(answer or 0, total - prompt)
    details = [usage.get(f"{of}_tokens_details") for of in ("prompt", "completion")]
    of_prompt, of_answer = (d if isinstance(d, dict) else {} for d in details)
    reasoning = token_count(of_answer.get("reasoning_tokens")) or 0
    if answer is not None and reasoning > answer:
        answer += reasoning
    return Usage(prompt, answer, min(token_count(of_prompt.get("cached_tokens")) or 0, prompt or 0))


class AnthropicProvider:
    """Messages. Source: https://docs.anthropic.com/en/api/messages"""

    name = "anthropic"
    defaults = staticmethod(lambda base_url: dict[str, Any]())  # those of Settings, everywhere
    key_env = "ANTHROPIC_API_KEY"
    base_env = "ANTHROPIC_BASE_URL"
    official_url = "https://api.anthropic.com"
    own_models = ("claude-",)

    def address(self, base_url: str) -> str:
        """Return the address; `/v1` may stand in the base URL."""
        return base_url.removesuffix("/messages").removesuffix("/v1") + "/v1/messages"

    def headers(self, key: str, header: str | None) -> dict[str, str]:
        """Return the key's header, and the version of the protocol."""
        return {**({header or "x-api-key": key} if key else {}), "anthropic-version": "2023-06-01"}

    def body(self, settings: Settings, messages: Messages, tools: Messages) -> dict[str, Any]:
        """Return the body: system prompts stand beside the messages, results in the user's turn."""
        systems: list[str] = []
        turns: list[dict[str, Any]] = []
        former = ""
        for message in messages:
            role = str(message["role"])
            if role in ("system", "developer"):
                systems.append(text_in(message.get("content")) or "")
                continue
            turn = _anthropic_turn(role, message)
            if role == former == "tool":  # the results of one turn's calls stand in one turn
                turns[-1]["content"] += turn["content"]
            else:
                turns.append(turn)
            former = role
        body = {"model": settings.model, "max_tokens": settings.max_tokens, "messages": turns}
        body |= {"system": system} if (system := "\n\n".join(filter(None, systems))) else {}
        body |= {"tools": [*map(_anthropic_tool, tools)]} if tools else {}
        return body | _sampling(settings)

    def json_form(self, schema: Json, extra: Json) -> dict[str, Any]:
        """Return the field that asks for JSON of a schema, beside what `extra` sets in it."""
        form = {"format": {"type": "json_schema", "schema": schema}}
        return {"output_config": {**extra.get("output_config", {}), **form}}

    def read_reply(self, data: bytes) -> Reply | Failure:
        """Return the reply of a body with status 200; whatever it holds, nothing is raised."""
        value = read_object(data, "message", lambda v: v["content"].append)
        if isinstance(value, Failure):
            return value
        usage = value["usage"] if isinstance(value.get("usage"), dict) else {}
        # What is read from the server's cache, and written to it, stands apart.
        names = ("input", "cache_read_input", "cache_creation_input", "output")
        prompt, cached, written, answer = (token_count(usage.get(f"{n}_tokens")) for n in names)
        whole = None if prompt is None else prompt + (cached or 0) + (written or 0)
        content = [b for b in value["content"] if isinstance(b, dict) and "content" not in b]
        message = openai_messages([{"role": "assistant", "content": content}])[-1]
        counts = Usage(whole, answer, cached or 0)
        return reply_of(message, value.get("stop_reason"), value.get("model"), counts)


def _anthropic_turn(role: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message in Anthropic's form; raise ValueError where it has none."""
    content = message.get("content")
    if role == "tool":
        result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id")}
        return {"role": "user", "content": [{**result, "content": [*_anthropic_blocks(content)]}]}
    if role not in ("user", "assistant"):
        raise ValueError(f"anthropic takes no messages of role {role}")
    if isinstance(content, str) and not message.get("tool_calls"):
        return {"role": role, "content": content}
    blocks = [*_anthropic_blocks(content)]
    for call in message.get("tool_calls") or ():
        function = _function_of(call)
        name, arguments = function["name"], parse_json_text(function.get("arguments") or {})
        if not isinstance(arguments, dict):
            raise ValueError(f"the arguments of an earlier call of {name} are no JSON object")
        blocks.append({"type": "tool_use", "id": call.get("id"), "name": name, "input": arguments})
    return {"role": role, "content": blocks}


def _anthropic_blocks(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the blocks of a content: texts and pictures."""
    for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        if isinstance(part, dict) and part.get("type") == "text":
            if part.get("text"):  # an empty one is refused
                yield {"type": "text", "text": part["text"]}
        elif isinstance(part, dict) and (address := _picture_address(part)):
            source = {"type": "url", "url": address}
            if address.startswith("data:"):
                media_type, _, data = address.removeprefix("data:").partition(";base64,")
                source = {"type": "base64", "media_type": media_type, "data": data}
            yield {"type": "image", "source": source}
        else:
            kind = part.get("type") if isinstance(part, dict) else part
            raise ValueError(f"anthropic takes texts and pictures, no part of type {kind!r}")


def _function_of(value: Any) -> Mapping[str, Any]:
    """Return the function of a tool or of a call; raise ValueError where it has none."""
    function = value.get("function") if isinstance(value, dict) else None
    if not (isinstance(function, dict) and isinstance(function.get("name"), str)):
        raise ValueError("anthropic takes tools, and calls of tools, that name a function")
    return function


def _anthropic_tool(tool: Any) -> dict[str, Any]:
    function = _function_of(tool)
    sent = {k: function[k] for k in ("name", "description") if function.get(k)}
    return {**sent, "input_schema": function.get("parameters") or {"type": "object"}}


Provider = OpenAIProvider | AnthropicProvider


def _sampling(settings: Settings) -> dict[str, Any]:
    asked: dict[str, Any] = {"temperature": settings.temperature, "seed": settings.seed}
    return {k: v for k, v in asked.items() if v not in ("default", None)} | settings.extra


def _picture_address(part: Mapping[str, Any]) -> str | None:
    """Return the address or `data:` URL of the picture that a part of a content is, None for none.

    The part may have OpenAI's form, Anthropic's, or that of chat templates. Raises ValueError for a
    picture in a file, which a server cannot read.
    """
    if part.get("type") not in ("image", "image_url"):
        return None
    keys = ("image_url", "source", "image", "url")
    value = next((part[key] for key in keys if part.get(key)), "")
    if isinstance(value, dict) and "data" in value:
        return f"data:{value.get('media_type', 'image/png')};base64,{value['data']}"
    url = value.get("url") if isinstance(value, dict) else value
    if isinstance(url, str) and url.startswith(("https:", "http:", "data:")):
        return url
    raise ValueError(f"a picture is sent as an address or a data: URL, not as {quote(str(url))}")
