"""A child that ends with its parent: its standard input is a pipe that the parent alone holds."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def watch(alone: Callable[[], object]) -> None:
    """Call `alone`, in a thread, when the pipe closes: also where the parent was killed."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        alone()

    threading.Thread(target=wait, daemon=True).start()
