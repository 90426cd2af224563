"""Logs of requests to models: OpenAI's chat completions, and OpenTelemetry's GenAI spans.

Sources: https://platform.openai.com/docs/api-reference/chat, and the semantic conventions at
https://github.com/open-telemetry/semantic-conventions-genai, with what OpenLLMetry wrote before.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ...utils.strict_json import Unreadable, parse_json_text
from .chat import from_chat
from .row_format import Fields, Message, RowFormat

ASKS = (None, "chat", "text_completion", "generate_content")  # operations that ask a model
_RECORD = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true"
TEXTS = ("finish", "conversation")  # what is known of a request; the rest are numbers
_SCALARS = {"stringValue": str, "intValue": int, "doubleValue": float, "boolValue": bool}


def from_log(fields: Mapping[str, Any]) -> Fields:
    """Convert a request with its response, if it is there, to messages and what was `logged`."""
    request = _body(fields.get("request") or fields.get("body") or fields)
    answered = fields.get("response")
    response = _body(fields if answered is None else answered)
    if not isinstance(request.get("messages"), list):
        raise Unreadable("shape", "body is no request with `messages`")
    choice, usage = _first(response.get("choices")), _first([response.get("usage")])
    if answered is not None and not isinstance(choice.get("message"), dict):
        raise Unreadable("shape", "response holds no message: the request failed")
    return _row(request, choice.get("message"), {
        "latency": fields.get("latency"), "finish": choice.get("finish_reason"),
        "prompt_tokens": usage.get("prompt_tokens"), "tokens": usage.get("completion_tokens"),
    })  # fmt: skip


def _body(value: Any) -> Mapping[str, Any]:
    """Return a request or response: an object or its JSON text, or the `body` of one over HTTP."""
    value = parse_json_text(value)
    value = parse_json_text(value["body"]) if isinstance(value, dict) and "body" in value else value
    return value if isinstance(value, dict) else {}


def _first(value: Any) -> Mapping[str, Any]:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


def _row(request: Mapping[str, Any], reply: Any, known: Mapping[str, Any]) -> Fields:
    given = {k: v for k in ("system", "tools") if (v := request.get(k))}
    row = from_chat({"messages": [*request["messages"], *([reply] if reply else [])], **given})
    logged = {k: v for k, v in known.items() if isinstance(v, str if k in TEXTS else int | float)}
    return {**row, "logged": logged} if logged else row


def is_stored(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `messages`, and the reply to them beside: a stored completion."""
    return "messages" in row and isinstance(_first(row.get("choices")).get("message"), dict)


def spans_of(line: bytes) -> list[bytes]:
    """Return the spans in a line of OTLP that ask a model; the line itself where it is none."""
    try:
        scopes = [scope for r in json.loads(line)["resourceSpans"] for scope in r["scopeSpans"]]
        spans = [span for scope in scopes for span in scope["spans"] if asks_model(span)]
    except (ValueError, TypeError, KeyError, AttributeError):
        return [line]
    return [json.dumps(span).encode() for span in spans]


def asks_model(span: Mapping[str, Any]) -> bool:
    """Tell whether a span is a request to a model, and no call of a tool or an agent."""
    named = _attributes(span)
    is_genai = any(name.startswith("gen_ai.") for name in named)
    return is_genai and named.get("gen_ai.operation.name") in ASKS


def _attributes(span: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of a span by name, {} if they are none; OTLP lists typed values."""
    listed = span.get("attributes")
    if not isinstance(listed, list):
        return listed if isinstance(listed, dict) else {}
    try:
        return {str(item["key"]): _value(item["value"]) for item in listed}
    except (TypeError, KeyError, ValueError, AttributeError):
        return {}


def _value(typed: Mapping[str, Any]) -> Any:
    """Return a value of OTLP, such as `{"stringValue": "chat"}`, as JSON has it."""
    if "arrayValue" in typed:
        return [*map(_value, typed["arrayValue"].get("values", []))]
    if "kvlistValue" in typed:
        return {v["key"]: _value(v["value"]) for v in typed["kvlistValue"].get("values", [])}
    return next((to(typed[name]) for name, to in _SCALARS.items() if name in typed), None)


def from_span(span: Mapping[str, Any]) -> Fields:
    """Convert a span that has its messages as attributes to messages and what was `logged`."""
    named = {name: parse_json_text(value) for name, value in _attributes(span).items()}
    given = named.get("gen_ai.input.messages") or _numbered(named, "gen_ai.prompt")
    if not isinstance(given, list) or not given:
        advice = f"the program that writes it must record content ({_RECORD})"
        raise Unreadable("shape", f"the span holds no gen_ai.input.messages: {advice}")
    said = _first(named.get("gen_ai.output.messages") or _numbered(named, "gen_ai.completion"))
    start, end = (str(span.get(f"{name}TimeUnixNano")) for name in ("start", "end"))
    system = _turn({"parts": named.get("gen_ai.system_instructions")})["content"]
    tools = named.get("gen_ai.tool.definitions")
    return _row({"messages": [*map(_turn, given)], "tools": tools, "system": system}, _turn(said), {
        "latency": (int(end) - int(start)) / 1e9 if (start + end).isdigit() else None,
        "finish": said.get("finish_reason"), "conversation": named.get("gen_ai.conversation.id"),
        "prompt_tokens": named.get("gen_ai.usage.input_tokens"),
        "tokens": named.get("gen_ai.usage.output_tokens"),
    })  # fmt: skip


def _turn(message: Any) -> Any:
    """Return a message of a span with its parts as Anthropic writes them; others stay."""
    if not isinstance(message, dict) or not isinstance(message.get("parts", ""), list | None):
        return message
    parts = [*map(_part, message["parts"] or [])]
    is_text = len(parts) == 1 and isinstance(text := _first(parts).get("text"), str)
    return {"role": message.get("role"), "content": text if is_text else parts}


def _part(part: Any) -> Any:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "reasoning"):
        name = "text" if kind == "text" else "thinking"
        return {"type": name, name: part.get("content")}
    if kind == "tool_call_response":
        result = part.get("response", part.get("result"))
        return {"type": "tool_result", "tool_use_id": part.get("id"), "content": result}
    return {**part, "type": "tool_use"} if kind == "tool_call" else part


def _numbered(named: Mapping[str, Any], prefix: str) -> list[Message]:
    """Return messages of which each field is an attribute, such as `gen_ai.prompt.0.content`."""
    messages: defaultdict[int, Message] = defaultdict(dict)
    for name, value in named.items():
        if found := re.fullmatch(rf"{prefix}\.(\d+)\.(role|content|finish_reason)", name):
            messages[int(found[1])][found[2]] = value
    return [messages[number] for number in sorted(messages)]


_BECAME = "the messages of the request and the logged reply became messages"
STORED = RowFormat("stored completion", "messages choices", "usage", from_log, _BECAME, is_stored)
LOG_FORMATS = (
    RowFormat("batch request", "custom_id body", "response method url", from_log,
              "the messages of body became messages"),
    RowFormat("request log", "request response", "latency", from_log, _BECAME),
    RowFormat("request log", "body response", "latency", from_log, _BECAME),
    RowFormat("OpenTelemetry span", "attributes name", "", from_span,
              "gen_ai.input.messages and gen_ai.output.messages became messages", asks_model),
    STORED,
)  # fmt: skip
