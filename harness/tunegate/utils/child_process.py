"""A child that ends with its parent: its standard input is a pipe that the parent alone holds."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def exit_with_parent(on_parent_exit: Callable[[], object]) -> None:
    """Call `on_parent_exit`, in a thread, when the pipe closes: also where the parent was killed."""

    def wait_for_parent() -> None:
        while os.read(0, 1):
            pass
        on_parent_exit()

    threading.Thread(target=wait_for_parent, daemon=True).start()
