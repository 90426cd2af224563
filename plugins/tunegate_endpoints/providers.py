"""The protocols of OpenAI and Anthropic: requests, replies, and when to ask again."""

import asyncio
import json
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from tunegate.data.canonical import target_of
from tunegate.data.formats.row_format import openai_messages
from tunegate.utils.strict_json import parse_json_text
from tunegate.utils.text import cut, quote

from .settings import Settings


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of a request, None where the server does not say; `cached` are of the prompt."""

    prompt: int | None = None
    answer: int | None = None  # reasoning included
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer as the server sent it."""

    text: str
    finish: str
    tool_calls: Sequence[Mapping[str, Any]]
    reasoning: str
    served_by: str
    usage: Usage


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
    usage: Usage = Usage()


# How an answer ended, as servers of both protocols write it. A tool call ends the turn.
FINISH_REASONS = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete"), "stop"),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_context_window_exceeded"), "length"),
}
FILTERED_REASONS = {"content_filter", "refusal", "safety"}  # the server's filter cut the answer off


def reply_of(message: dict[str, Any], reason: Any, served_by: Any, usage: Usage) -> Reply | Failure:
    """Return the reply where it ended as an answer does, else a Failure with the tokens it took.

    The message is in the form of chat completions; what decides nothing in it is passed over. It
    ended for a `reason`, in the server's words: another than those of FINISH_REASONS is an error.
    """
    content, refusal = message.get("content"), message.get("refusal")
    text = text_in(content)
    if text is None and isinstance(refusal, str):  # a refusal in words is an answer
        text = refusal
    target = target_of({**message, "content": None})
    calls = [call for call in json.loads(target.calls or "[]") if isinstance(call["name"], str)]
    calls = [{**call, "arguments": call.get("arguments") or {}} for call in calls]
    thoughts = target.reasoning or (isinstance(content, list) and text_in(content, "thinking"))
    server = served_by if isinstance(served_by, str) else ""
    name = reason.lower() if isinstance(reason, str) else ""
    finish = FINISH_REASONS.get(name, "")
    reply = Reply(text or "", finish, calls, thoughts or "", server, usage)
    if name in FILTERED_REASONS:
        why = f"the server's filter held the answer back ({name})"
    elif name and not finish:
        why = f"the answer broke off: {reason}"
    elif text is None and not calls and finish != "length":
        why = f"no text in the answer (finished: {reason})"
    elif re.search("[\ud800-\udfff]", f"{text}{thoughts}{target.calls}{server}"):
        why = "the reply holds half a character"
    else:
        return reply
    return Failure(why, retryable=name.startswith("error"), billed=True, usage=usage)


def read_object(data: bytes, name: str, find_answer: Callable[[Any], object]) -> Any:
    """Return the JSON object of a reply with status 200; a Failure where it holds no answer.

    A server or proxy in trouble sends such replies: another try may succeed. `find_answer` raises
    LookupError, TypeError or AttributeError for what is no `name`.
    """
    start = repr(cut(data.decode("utf-8", "replace"), 60)) if data else "it is empty"
    why = f"no {name}: {start}"
    try:
        value = json.loads(data)
        find_answer(value)
        return value
    except (ValueError, RecursionError):
        why = f"{'an HTML page' if b'<html' in data[:1000].lower() else 'no JSON'}: {start}"
    except (LookupError, TypeError, AttributeError):
        if message := error_of(data)[0]:
            why = f"an error: {message}"
    return Failure(f"the reply is {why}", retryable=True, billed=True)


def text_in(content: Any, kind: str = "text") -> str | None:
    """Return a text, or the texts of the parts of one type joined; None where there is none."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    typed = [p for p in parts if isinstance(p, dict) and (p.get("type") or "text") == kind]
    texts = [text for part in typed if (text := text_in(part.get(kind))) is not None]
    return "".join(texts) if texts else None


def token_count(value: Any) -> int | None:
    """Return a number of tokens; None for what is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return math.ceil(value) if is_number and 0 <= value <= 1e12 else None


def error_of(data: bytes) -> tuple[str, str]:
    """Return message and code, or type, of `{"error": {"message": ...}}` and its like; else ""."""
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        return "", ""
    error = value.get("error") if isinstance(value, dict) else None
    code = (error.get("code") or error.get("type")) if isinstance(error, dict) else None
    message: Any = ""
    for key in ("error", "message", "detail"):
        if isinstance(value, dict) and value.get(key):
            value = message = value[key]
    return message if isinstance(message, str) else json.dumps(message), str(code or "")


RETRYABLE_STATUSES = {408, 409, 425, 429, *range(500, 600)}
OVERLOADED_STATUSES = {429, 503, 529}  # 529: Anthropic's "overloaded"
# The key, the name or the address is wrong. A 403 may be about one request: its text was flagged.
FATAL_STATUSES = {401, 402, 404, 405, *range(300, 400)}
# Codes of a 429 that waiting does not mend.
NO_CREDIT_CODES = {"insufficient_quota", "billing_hard_limit_reached"}
MAX_BACKOFF_SECONDS = 60.0  # between two tries, unless the server asks for more
MAX_RETRY_AFTER_SECONDS = 600.0  # a server that asks for a longer wait is a fatal failure


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, given to what waits, so that tests do not wait; `random` is 0 to 1."""

    now: Callable[[], float] = time.monotonic
    wall_time: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


def failure_of_status(
    status: int, headers: Mapping[str, str], data: bytes, clock: Clock
) -> Failure:
    """Return the failure that a reply with a status other than 2xx means."""
    server_text, code = error_of(data)
    if not server_text and (address := headers.get("location")):
        server_text = f"it has moved to {address}: set base_url"
    elif not server_text:
        is_page = b"<html" in data[:1000].lower()
        server_text = "an HTML page" if is_page else cut(data.decode("utf-8", "replace"), 200)
    reason = f"{status}: {server_text}" if server_text else str(status)
    wait = retry_after_seconds(headers, clock.wall_time())
    if status in FATAL_STATUSES or code in NO_CREDIT_CODES:
        return Failure(reason, fatal=True)
    if status not in RETRYABLE_STATUSES:
        return Failure(reason)
    if wait is not None and wait > MAX_RETRY_AFTER_SECONDS:
        return Failure(f"{reason}; the server asks to wait for {wait:,.0f} s", fatal=True)
    is_overloaded = status in OVERLOADED_STATUSES
    return Failure(reason, retryable=True, overloaded=is_overloaded, retry_after=wait)


def status_in(data: bytes) -> int:
    """Return the status that a gateway passes on as the code of an error; 0 for none."""
    code = error_of(data)[1]
    return int(code) if re.fullmatch("[45][0-9][0-9]", code) else 0


def retry_after_seconds(headers: Mapping[str, str], wall: float) -> float | None:
    """Return the seconds of Retry-After (RFC 9110, 10.2.3) or OpenAI's `-ms`; `wall`: Unix time."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(KeyError, ValueError):
            return max(0.0, min(float(headers[name]) * unit, 1e9))
    with suppress(KeyError, ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - wall)
    return None


def backoff(tries: int, chance: float) -> float:
    """Return the seconds to wait after `tries` tries: 1, 2, 4, ... up to 60, half by `chance`.

    Source: M. Brooker, "Exponential Backoff And Jitter" (AWS, 2015), "equal jitter".
    """
    return min(MAX_BACKOFF_SECONDS, 2.0 ** (tries - 1)) * (1 + chance) / 2


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
    """Return a reply's tokens; what only the total has (xAI, Gemini) belongs to the answer."""
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
            if (role := str(message["role"])) in ("system", "developer"):
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
    """Return the URL of a part that is a picture, in any form, or None; ValueError for a file."""
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
