"""When to try again: what a status means, how long the server asks to wait, and else how long."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from .clock import Clock
from .shapes import complaint_of, kind_of
from .trouble import Trouble

AGAIN = {408, 409, 425, 429, *range(500, 600)}
PUSHED = {429, 503, 529}  # 529: Anthropic's "overloaded"
EVERY = {401, 402, 403, 404, 405, *range(300, 400)}  # the key, the name or the address is wrong
SPENT = {"insufficient_quota", "billing_hard_limit_reached"}  # a 429 that waiting does not mend
LONGEST = 60.0  # seconds between two tries, unless the server asks for more
PATIENCE = 600.0  # seconds: a server that asks for more is left alone for today


def judged(status: int, headers: Mapping[str, str], data: bytes, clock: Clock) -> Trouble:
    """Return what a reply with a status other than 2xx means."""
    said = complaint_of(data) or _place(headers) or _text(data)
    why, wait = f"{status}: {said}" if said else str(status), asked_to_wait(headers, clock.wall())
    if status in EVERY or kind_of(data) in SPENT:
        return Trouble(why, every=True)
    if status not in AGAIN:
        return Trouble(why)
    if wait is not None and wait > PATIENCE:
        return Trouble(f"{why}; the server asks to wait for {wait:,.0f} s", every=True)
    return Trouble(why, again=True, pushed=status in PUSHED, wait=wait)


def asked_to_wait(headers: Mapping[str, str], wall: float) -> float | None:
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
    """Return the seconds to wait after so many tries: 1, 2, 4, ... at most 60, and half of it luck.

    Source: M. Brooker, "Exponential Backoff And Jitter" (AWS, 2015), "equal jitter".
    """
    longest = min(LONGEST, 2.0 ** (tries - 1))
    return longest * (1 + chance) / 2


def _place(headers: Mapping[str, str]) -> str:
    place = headers.get("location", "")
    return f"it has moved to {place}: set base_url" if place else ""


def _text(data: bytes) -> str:
    if b"<html" in data[:1000].lower():
        return "an HTML page"
    return data[:200].decode("utf-8", "replace")
