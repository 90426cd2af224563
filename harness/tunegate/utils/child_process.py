"""Ends a child process when its parent ends, also when the parent is killed with SIGKILL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def exit_with_parent(on_parent_exit: Callable[[], object]) -> None:
    """Call a function once, from a daemon thread, when the parent process is gone.

    The parent starts this process with `stdin=PIPE` and writes nothing. The operating system
    closes the pipe when the parent ends, however it ends, and that ends the read below.

    Args:
        on_parent_exit: What to do then, such as `os._exit` or sending SIGTERM to this process.
    """

    def wait_for_parent() -> None:
        while os.read(0, 1):
            pass
        on_parent_exit()

    threading.Thread(target=wait_for_parent, daemon=True).start()
