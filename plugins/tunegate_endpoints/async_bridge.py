"""Turns what a coroutine emits into a plain iterator."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
Work = Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]


def iterate_async(work: Work[T]) -> Iterator[T]:
    """Run `work(emit)` in a thread of its own and yield what it emits; raise what it raises.

    A thread, because the caller's may hold an event loop already (a notebook does) and may take
    its time with each value. Closing the iterator cancels the work and waits until it has ended.
    """
    values: SimpleQueue[Any] = SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(values.put))
    task.add_done_callback(values.put)  # the task itself marks the end of the values
    thread = threading.Thread(target=_run_loop, args=(loop, task), name="endpoint", daemon=True)
    thread.start()
    try:
        while (value := values.get()) is not task:
            yield value
        task.result()
    finally:
        with suppress(RuntimeError):  # the loop is closed when the work has ended
            loop.call_soon_threadsafe(task.cancel)
        thread.join()


def _run_loop(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    """Run the task to its end in this thread, then close the loop."""
    asyncio.set_event_loop(loop)
    try:
        with suppress(BaseException):  # `iterate_async` raises it by `task.result()`
            loop.run_until_complete(task)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
