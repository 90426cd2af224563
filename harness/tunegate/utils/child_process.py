"""Ends a child process when its parent ends, also when the parent is killed with SIGKILL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def wait_for_stdin() -> None:
    """Wait until the parent is gone, which started this process with `stdin=PIPE`.

    It writes nothing. The operating system closes the pipe when the parent ends, however it ends.
    """
    while os.read(0, 1):
        pass


def exit_with_parent(
    on_parent_exit: Callable[[], object], wait_for_parent: Callable[[], object] = wait_for_stdin
) -> None:
    """Call a function once, from a daemon thread, when the parent process is gone.

    Args:
        on_parent_exit: What to do then, such as `os._exit` or sending SIGTERM to this process.
        wait_for_parent: Returns when the parent is gone.
    """

    def watch() -> None:
        wait_for_parent()
        on_parent_exit()

    threading.Thread(target=watch, daemon=True).start()
