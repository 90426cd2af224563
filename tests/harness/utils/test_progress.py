"""What stands beside the progress bar, and that a log gets nothing of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import termios
from contextlib import closing

import pytest

from tunegate.utils import progress as console


@pytest.mark.parametrize(
    ("rate", "errors", "cost", "told"),
    [
        (0, 0, 0, ""),
        (1234.5, 0, 0, "1,234/s"),
        (2.25, 1, 0, "2.2/s, 1 error"),
        (37, 2, 0.01234, "37/s, 2 errors, $0.0123"),
    ],
)
def test_beside_the_bar(rate: float, errors: int, cost: float, told: str) -> None:
    assert console.bar_details(rate, errors, cost) == told


def test_a_log_gets_a_line_a_minute(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with console.progress_bar("asking [it]", lambda: 0.0) as progress:
        for done in range(600):
            now = done / 4
            progress(done, 1_200, int(done > 300))
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "asking [it]: 240 of 1",
        "asking [it]: 480 of 1",
    ]
    assert lines[1].endswith(", 1 error")


def test_a_log_gets_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with console.progress_bar("asking", lambda: 1.0) as progress:
        progress(1, 2, 1)
    assert capfd.readouterr() == ("", "")


def test_a_line_is_printed_in_a_log_too(capfd: pytest.CaptureFixture[str]) -> None:
    with closing(console.ProgressBar("training")) as bar:
        bar.update(1, 2, "loss 1.0")
        bar.print_line("job [1]: running")
        assert bar.speed == 0.0
    assert capfd.readouterr() == ("", "job [1]: running\n")


def seen_on_a_terminal(script: str, columns: int) -> str:
    """Return what a script writes to a terminal; a bar is drawn once more when it ends."""
    mine, its = os.openpty()
    termios.tcsetwinsize(its, (24, columns))
    env = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    subprocess.run([sys.executable, "-c", script], stderr=its, env=env, check=True)
    os.close(its)
    seen = os.read(mine, 1 << 16).decode()
    os.close(mine)
    return seen


SHOWN = """
from tunegate.utils.progress import progress_bar
with progress_bar("asking the candidate", lambda: 0.5) as progress:
    for done in range(1, 4):
        progress(done, 3, 2)
"""


def test_a_terminal_sees_errors_and_cost() -> None:
    seen = seen_on_a_terminal(SHOWN, 100)
    assert "3/3" in seen
    assert "2 errors, $0.5000" in seen


TRAINING = """
from contextlib import closing
from tunegate.utils.progress import ProgressBar
with closing(ProgressBar("training")) as bar:
    bar.update(900, 1000, "{details}")
    bar.print_line("[job] a line")
    bar.update(950, 1000, "{details}")
"""


@pytest.mark.parametrize(
    "details",
    ["loss 0.123, validation 1.234  12,345 tokens/s", "loss 0.1234, validation 1.2345"],
)
def test_eighty_columns_show_all_but_some_of_the_bar(details: str) -> None:
    seen = seen_on_a_terminal(TRAINING.replace("{details}", details), 80)
    assert "[job] a line\r\n" in seen
    line = next(part for part in reversed(re.split(r"[\r\n]", seen)) if "950" in part)
    shown = re.sub(r"\x1b\[[\d;?]*\w", "", line)
    assert re.fullmatch(rf"training ━+.? ?━* +950/1000 {re.escape(details)} [-\d:]+", shown), shown
    assert len(shown) <= 80
