"""What is seen of a training: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

from . import process_group


def print_line(text: str, label: str = "") -> None:
    """Print one line, its label as wide as the harness's own; of several processes, one does."""
    if process_group.is_main():
        print(f"{label:<10}{text}", flush=True)


def format_duration(seconds: float) -> str:
    """Return a time span as text: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"
