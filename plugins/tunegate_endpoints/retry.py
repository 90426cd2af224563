"""Decides from a status and its headers whether and when a request is tried again."""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from tunegate.utils.text import cut

from .reply import Failure, error_of

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
        try:
            return max(0.0, min(float(headers[name]) * unit, 1e9))
        except (KeyError, ValueError):
            pass
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - wall)
    except (KeyError, ValueError, OverflowError):
        return None


def backoff(tries: int, chance: float) -> float:
    """Return the seconds to wait after `tries` tries: 1, 2, 4, ... up to 60, half by `chance`.

    Source: M. Brooker, "Exponential Backoff And Jitter" (AWS, 2015), "equal jitter".
    """
    return min(MAX_BACKOFF_SECONDS, 2.0 ** (tries - 1)) * (1 + chance) / 2
