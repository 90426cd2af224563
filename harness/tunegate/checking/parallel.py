"""Runs a check by rows on chunks of a dataset: in this process, or in several.

A chunk is a Dataset of consecutive rows, which keep their numbers and lines. Findings come back in
the order of the chunks, wherever these ran.

New processes are started afresh (`spawn`) on every platform. A fork is cheaper, but copies the
locks of threads that do not exist in the child: after numba, BLAS or torch have started threads
here, a forked child can wait for such a lock forever.
"""

import inspect
import multiprocessing
import os
import pickle
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing.connection import wait
from typing import Any

from ..data.dataset import Dataset
from ..results.finding import Finding
from ..utils.processes import exit_with_parent, worker_count

FindRows = Callable[..., Iterator[Finding]]

CHUNK_ROWS = 1_000  # half a second of work at most: Ctrl-C waits for the chunks under way
MAX_PROCESSES = 61  # Windows cannot wait for more at once
MIN_SECONDS = 3.0  # of work left; to start two processes and send them the rows takes about one


def split_into_chunks(dataset: Dataset, rows: int = 0) -> list[Dataset]:
    """Return chunks of `rows` rows (0: 1,000), one at least; each knows earlier system messages."""
    rows = rows or CHUNK_ROWS
    chunks, earlier = [], set[str]()
    for start in range(0, max(len(dataset), 1), rows):
        chunk = Dataset(
            dataset[start : start + rows], split=dataset.split, path=dataset.path,
            digest=dataset.digest, reading=dataset.reading,
        )  # fmt: skip
        spoken = (message for example in chunk for message in example.messages)
        messages = {repr(m): m for m in spoken if m["role"] in ("system", "developer")}
        chunk.earlier_messages = [messages[k] for k in messages if k in earlier]
        chunks.append(chunk)
        earlier |= messages.keys()
    return chunks


def run_in_chunks(find: FindRows, dataset: Dataset, *args: Any, **kwargs: Any) -> Iterator[Finding]:
    """Return the findings of a generator in the order of the rows; its exceptions are raised here.

    Of several chunks the first run in this process: their time tells whether more would pay.
    """
    __tracebackhide__ = True
    if len(dataset) <= CHUNK_ROWS:
        return find(dataset, *args, **kwargs)
    return _run_chunks(find, split_into_chunks(dataset), args, kwargs)


def _run_chunks(
    generator: FindRows, chunks: Sequence[Dataset], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[Finding]:
    __tracebackhide__ = True
    task = _importable(generator, args, kwargs)
    max_workers, start = worker_count(), time.perf_counter()
    # A daemon, such as a worker of a multiprocessing.Pool, may not start processes.
    is_daemon = multiprocessing.current_process().daemon
    for done, chunk in enumerate(chunks, 1):
        yield from generator(chunk, *args, **kwargs)
        remaining = (time.perf_counter() - start) / done * (len(chunks) - done)
        if remaining > MIN_SECONDS and task and max_workers > 1 and not is_daemon:
            break
    chunks = chunks[done:]
    if not chunks or task is None:
        return
    spawn, count = multiprocessing.get_context("spawn"), min(max_workers, MAX_PROCESSES)
    pool = _Processes(min(count, len(chunks)), spawn, initializer=_start_worker)
    futures = [pool.submit(_find_in_process, *task, chunk) for chunk in chunks]
    try:
        for future, chunk in zip(futures, chunks, strict=True):
            findings = future.result()
            yield from generator(chunk, *args, **kwargs) if findings is None else findings
    finally:  # after Ctrl-C too: each process ends after the chunk that it has begun
        for future in futures:
            future.cancel()
        pool.shutdown(cancel_futures=True)


def _importable(
    generator: FindRows, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[str, str, bytes] | None:
    """Return module, name and pickled arguments of a generator; None where none can import it."""
    module, name = generator.__module__, generator.__qualname__
    function = getattr(sys.modules.get(module), name, None)
    if module == "__main__" or function is None or inspect.unwrap(function) is not generator:
        return None
    try:
        return module, name, pickle.dumps((args, kwargs))
    except Exception:  # TypeError, AttributeError, PicklingError, or that of a __reduce__
        return None


def _find_in_process(module: str, name: str, packed: bytes, chunk: Dataset) -> list[Finding] | None:
    """Return a chunk's findings; None if it raises: the parent runs it again, for the traceback."""
    try:
        args, kwargs = pickle.loads(packed)
        return list(inspect.unwrap(getattr(import_module(module), name))(chunk, *args, **kwargs))
    except Exception:
        return None


class _Processes(ProcessPoolExecutor):
    """Processes that ignore Ctrl-C, and do not import `__main__`.

    A script without a `__main__` guard would run in each of them, and none needs it (see
    `_importable`). SIGINT is blocked while one starts, since it inherits its parent's mask.
    """

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        main_module = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        if sys.platform != "win32":
            previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(*args, **kwargs)
        finally:
            sys.modules["__main__"] = main_module
            if sys.platform != "win32":
                signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


def _start_worker() -> None:
    """Ignore Ctrl-C, which the parent handles, and end this process when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows
    if parent := multiprocessing.parent_process():
        exit_with_parent(partial(os._exit, 1), partial(wait, [parent.sentinel]))
