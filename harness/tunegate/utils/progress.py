"""What the long steps show while they go on: a progress bar, gone when they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, int, int], None]  # done, total, errors

ShowProgress = Callable[[str], AbstractContextManager[Progress]]  # of what is being done


@contextmanager
def progress_bar(description: str, spent: Callable[[], float] = lambda: 0.0) -> Iterator[Progress]:
    """Yield a function (done, total, errors) that moves a bar: rate, errors, cost and time left.

    `spent` returns the USD spent so far; nothing is shown of it while it is 0.
    """
    from rich import progress as rich
    from rich.console import Console
    from rich.text import Text

    class DetailsColumn(rich.ProgressColumn):  # worked out when it is drawn, not at each answer
        def render(self, task: rich.Task) -> Text:
            return Text(bar_details(task.speed or 0.0, task.fields["errors"], spent()))

    columns = rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn()
    details, remaining_time = DetailsColumn(), rich.TimeRemainingColumn()
    console = Console(stderr=True)
    quiet = not console.is_terminal  # in a log, a bar is an empty line
    with rich.Progress(
        *columns, details, remaining_time, console=console, transient=True, disable=quiet
    ) as progress:
        task = progress.add_task(description, total=None, visible=False, errors=0)

        def update(done: int, total: int, errors: int) -> None:
            progress.update(task, completed=done, total=total, visible=True, errors=errors)

        yield update


def bar_details(rate: float, errors: int, cost: float) -> str:
    """Return what stands beside the bar, `37/s, 2 errors, $0.0123`; what is 0 is left out."""
    parts = [f"{rate:,.0f}/s" if rate >= 9.5 else f"{rate:.1f}/s"] if rate else []
    parts += [f"{errors:,} error{'s' * (errors > 1)}"] if errors else []
    return ", ".join([*parts, f"${cost:.4f}"] if cost else parts)
