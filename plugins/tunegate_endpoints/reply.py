"""What a server sends back: a reply and its tokens, or a failure, and when to ask again."""

import asyncio
import json
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from tunegate.data.canonical import target_of
from tunegate.utils.text import cut


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
    """Return the message and the code, or the type, of an error object; "" for none.

    Messages stand in `{"error": {"message": ...}}` and its cousins.
    """
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
    """Return the seconds of Retry-After (RFC 9110, 10.2.3: seconds or a date), None without.

    `wall` is the time now, in seconds since 1970. `retry-after-ms` is OpenAI's finer one.
    """
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
