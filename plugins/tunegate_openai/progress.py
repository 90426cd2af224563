"""What the provider says of a job, as a bar with the loss, or as lines in a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol


class JobProgress(Protocol):
    """Shows how a job goes."""

    def print_line(self, text: str) -> None:
        """Print a line."""

    def show_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Show step, steps in all and losses, as a metrics event has them."""


class _RichJobProgress:
    def __init__(self, bar: Any, task: Any) -> None:
        self.bar, self.task = bar, task

    def print_line(self, text: str) -> None:
        self.bar.console.print(f"openai    {text}", highlight=False, markup=False)

    def show_metrics(self, metrics: Mapping[str, Any]) -> None:
        loss, held_out = metrics.get("train_loss"), metrics.get("valid_loss")
        losses = [f"loss {loss:.4f}"] if isinstance(loss, int | float) else []
        losses += [f"validation {held_out:.4f}"] if isinstance(held_out, int | float) else []
        self.bar.update(
            self.task,
            completed=metrics.get("step"),
            total=metrics.get("total_steps"),
            description=", ".join(["training", *losses]),
            visible=True,
        )


@contextmanager
def job_progress() -> Iterator[JobProgress]:
    """Yield something that shows a job's progress; the bar is gone when the block ends."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    quiet = not console.is_terminal
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True, disable=quiet) as b:
        yield _RichJobProgress(b, b.add_task("waiting", total=None, visible=False))
