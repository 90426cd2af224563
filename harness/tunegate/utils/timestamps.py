"""The times in records, and the order of records by them."""

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path


def timestamp(timespec: str = "microseconds") -> str:
    """Return the time as records hold it: ISO 8601, UTC; what is ordered by it to microseconds."""
    return datetime.now(UTC).isoformat(timespec=timespec)


def time_key(path: Path, *recorded: object) -> tuple[datetime, int]:
    """Return a key that sorts the newest record last, by the first valid of the `recorded` times.

    The time of the file at `path`, which a copy or a checkout changes, counts only where a record
    has none, or the same: older ones hold whole seconds. A time without a zone is UTC.
    """
    changed = path.stat().st_mtime_ns
    for value in recorded:
        try:
            when = datetime.fromisoformat(str(value))
        except ValueError:
            continue
        return when if when.tzinfo else when.replace(tzinfo=UTC), changed
    return datetime.fromtimestamp(changed / 1e9, UTC), changed


def parse_age(text: str) -> float:
    """Return an age such as `7d` or `12h` in seconds, for argparse."""
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)([dhms])", text.strip()):
        return float(match[1]) * {"d": 86400, "h": 3600, "m": 60, "s": 1}[match[2]]
    raise ArgumentTypeError(f"{text!r} is no age; valid: a number with d, h, m or s, such as 7d")
