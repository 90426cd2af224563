"""What the long steps show while they go on: a progress bar, gone when they are done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .predict import Progress


@contextmanager
def bar(what: str) -> Iterator[Progress]:
    """Yield a function (done, total, errors) that moves a bar with the rate and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    left, console = TimeRemainingColumn(), Console(stderr=True)
    quiet = not console.is_terminal  # in a log, a bar is an empty line
    with Bar(*columns, left, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task(what, total=None, visible=False)

        def move(done: int, total: int, errors: int) -> None:
            said = f"{what}, {errors} errors" if errors else what
            progress.update(task, completed=done, total=total, description=said, visible=True)

        yield move
