"""Prints the lines of a training, in the columns of the other reports."""

from __future__ import annotations

from . import process_group


def print_line(text: str, label: str = "") -> None:
    """Print a line after a label of ten columns; of several processes only the first prints."""
    if process_group.is_main():
        print(f"{label:<10}{text}", flush=True)


def format_duration(seconds: float) -> str:
    """Format a time span: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"
