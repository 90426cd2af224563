"""What stands beside the progress bar, and that a log gets nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
import termios

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


def test_a_log_gets_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with console.progress_bar("asking", lambda: 1.0) as progress:
        progress(1, 2, 1)
    assert capfd.readouterr() == ("", "")


SHOWN = """
from tunegate.utils.progress import progress_bar
with progress_bar("asking the candidate", lambda: 0.5) as progress:
    for done in range(1, 4):
        progress(done, 3, 2)
"""


def test_a_terminal_sees_errors_and_cost() -> None:
    """The bar draws itself once more when it ends, whatever the time."""
    mine, its = os.openpty()
    termios.tcsetwinsize(its, (24, 100))
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", SHOWN], stderr=its, env=env, check=True)
    os.close(its)
    seen = os.read(mine, 1 << 16).decode()
    os.close(mine)
    assert "3/3" in seen
    assert "2 errors, $0.5000" in seen
