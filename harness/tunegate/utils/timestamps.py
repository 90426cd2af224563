"""Files that appear whole or not at all, and when what stands in them was made."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path


def timestamp() -> str:
    """Return the time as records hold it in `made`: ISO 8601, UTC, with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def time_key(path: Path, *told: object) -> tuple[datetime, int]:
    """Return a key that sorts the newest last: the first of the times told, else the file's own.

    A copy, a checkout or a `touch` changes a file's time. So it counts only where a record tells
    none, and between records that tell whole seconds, as those did that were written earlier.
    """
    changed = path.stat().st_mtime_ns
    for one in told:
        try:
            when = datetime.fromisoformat(str(one))
        except ValueError:
            continue
        return when if when.tzinfo else when.replace(tzinfo=UTC), changed
    return datetime.fromtimestamp(changed / 1e9, UTC), changed
