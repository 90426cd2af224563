"""A progress bar on standard error, for steps that take minutes; removed when they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, int, int], None]  # done, total, errors

ShowProgress = Callable[[str], AbstractContextManager[Progress]]  # given a description


@contextmanager
def progress_bar(description: str, spent: Callable[[], float] = lambda: 0.0) -> Iterator[Progress]:
    """Yield a function (done, total, errors) that moves a bar: rate, errors, cost and time left.

    Args:
        description: Stands before the bar.
        spent: Returns the USD spent so far; 0 is not shown.
    """
    from rich import progress as rich
    from rich.console import Console
    from rich.text import Text

    class DetailsColumn(rich.ProgressColumn):  # computed when drawn, not at each update
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
    """Return the text beside the bar, `37/s, 2 errors, $0.0123`; what is 0 is left out."""
    parts = [f"{rate:,.0f}/s" if rate >= 9.5 else f"{rate:.1f}/s"] if rate else []
    parts += [f"{errors:,} error{'s' * (errors > 1)}"] if errors else []
    return ", ".join([*parts, f"${cost:.4f}"] if cost else parts)
