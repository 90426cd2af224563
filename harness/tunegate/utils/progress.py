"""A progress bar on standard error, for steps that take minutes; removed when they are done."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

from .masking import mask, unmasked

SECONDS_BETWEEN_LINES = 60  # in a log
Progress = Callable[[int, int, int], None]  # done, total, errors

ShowProgress = Callable[[str], AbstractContextManager[Progress]]  # given a description


class ProgressBar:
    """Shows a bar, details and the time left from the first `update`; in a log, a line a minute."""

    def __init__(self, description: str) -> None:
        from rich import progress as rich
        from rich.console import Console
        from rich.table import Column

        self.console = Console(file=unmasked(sys.stderr))
        self.description, self.said_at = mask(description), time.monotonic()
        self.bar = rich.Progress(
            rich.TextColumn(self.description, markup=False),
            rich.BarColumn(),  # it alone gets narrower where the terminal is
            rich.MofNCompleteColumn(table_column=Column(no_wrap=True)),
            rich.TextColumn("{task.fields[details]}"),
            rich.TimeRemainingColumn(),
            console=self.console, transient=True, refresh_per_second=4,
            disable=not self.console.is_terminal,
        )  # fmt: skip

    def update(self, done: int, total: int | None, details: str = "") -> None:
        """Move the bar. The first call sets where the time left is counted from."""
        if not self.bar.tasks:
            self.bar.start()
            self.bar.add_task("", total=total, completed=done, details=details)
        self.bar.update(self.bar.tasks[0].id, total=total, completed=done, details=details)
        if self.bar.disable and time.monotonic() >= self.said_at + SECONDS_BETWEEN_LINES:
            self.said_at = time.monotonic()
            counts = f"{done:,}" if total is None else f"{done:,} of {total:,}"
            self.print_line(", ".join(filter(None, (f"{self.description}: {counts}", details))))

    @property
    def speed(self) -> float:
        """Steps a second; 0 before the second `update`."""
        return (self.bar.tasks[0].speed or 0.0) if self.bar.tasks else 0.0

    def print_line(self, text: str) -> None:
        """Print a line above the bar; in a log too."""
        self.console.print(mask(text), highlight=False, markup=False)

    def close(self) -> None:
        """Remove the bar."""
        self.bar.stop()


@contextmanager
def progress_bar(description: str, spent: Callable[[], float] = lambda: 0.0) -> Iterator[Progress]:
    """Yield a function (done, total, errors) that moves a bar; `spent` returns USD so far."""
    with closing(ProgressBar(description)) as bar:
        yield lambda n, total, errors: bar.update(n, total, bar_details(bar.speed, errors, spent()))


def bar_details(rate: float, errors: int, cost: float) -> str:
    """Return the text beside the bar, `37/s, 2 errors, $0.0123`; what is 0 is left out."""
    parts = [f"{rate:,.0f}/s" if rate >= 9.5 else f"{rate:.1f}/s"] if rate else []
    parts += [f"{errors:,} error{'s' * (errors > 1)}"] if errors else []
    return ", ".join([*parts, f"${cost:.4f}"] if cost else parts)
