"""Row checks, shard by shard: in this process, in several, or on a cluster, with one result.

A shard is a Dataset of consecutive rows, which keep their numbers and lines. What is found comes
back in the order of the shards, so that it does not matter where they ran.

New processes are started afresh (`spawn`) on every platform. A fork would be cheaper, but what
is forked here has run numba, BLAS or torch: their threads are not there in the child, the locks
they held are, and a child that meets one waits forever. On a cluster, put its executor in place:

    with shards.run_on(Client("tcp://scheduler:8786").get_executor()):  # Dask
        ...
"""

from __future__ import annotations

import inspect
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from multiprocessing.connection import wait
from typing import Any, Concatenate, ParamSpec

from ..data.dataset import Dataset, Example
from ..results.finding import Finding
from ..utils.cpu_count import worker_count

P = ParamSpec("P")
Messages = Sequence[Mapping[str, Any]]

CHUNK_ROWS = 1_000  # of a shard: half a second at most, which is what Ctrl-C waits for
MAX_PROCESSES = 61  # processes: Windows waits for no more at once
MIN_SECONDS = (
    3.0  # seconds of work left: starting two processes and sending the rows takes about one
)

_executor: Executor | None = None


class Chunk(Dataset):
    """Some rows of a dataset; `earlier_system_messages` are the system messages that rows before it have as well."""

    def __init__(
        self, examples: Sequence[Example], dataset: Dataset, earlier_messages: Messages
    ) -> None:
        super().__init__(examples, split=dataset.split, path=dataset.path, digest=dataset.digest)
        self.earlier_messages = earlier_messages

    def __reduce__(self) -> tuple[Any, ...]:
        """What an example has worked out from its fields is not sent along."""
        rows = [(e.row, e.line, e.fields) for e in self]
        return _rebuild_chunk, (
            rows,
            self.split,
            str(self.path),
            self.digest,
            self.earlier_messages,
        )


def _rebuild_chunk(
    rows: list[tuple[int, int, dict[str, Any]]],
    split: str,
    path: str,
    digest: str,
    earlier_messages: Messages,
) -> Chunk:
    dataset = Dataset((), split=split, path=path, digest=digest)
    return Chunk([Example(*row) for row in rows], dataset, earlier_messages)


def earlier_system_messages(dataset: Dataset) -> Messages:
    """Return the system messages of a shard that stand in rows before it; of a dataset, none.

    A check that looks at a system prompt only where it stands first asks for them.
    """
    return dataset.earlier_messages if isinstance(dataset, Chunk) else ()


def split_into_chunks(dataset: Dataset, rows: int = 0) -> list[Chunk]:
    """Cut a dataset into shards of so many rows (1,000); an empty one is one shard."""
    rows = rows or CHUNK_ROWS
    chunks, earlier = [], set[str]()
    for start in range(0, max(len(dataset), 1), rows):
        examples = dataset[start : start + rows]
        messages = {repr(m): m for e in examples for m in e.messages if _is_system(m)}
        chunks.append(Chunk(examples, dataset, [messages[k] for k in messages if k in earlier]))
        earlier |= messages.keys()
    return chunks


def _is_system(message: Mapping[str, Any]) -> bool:
    return message["role"] in ("system", "developer")


@contextmanager
def run_on(executor: Executor) -> Iterator[None]:
    """Run row checks on this executor: any of `concurrent.futures`, so Dask's too."""
    global _executor
    previous, _executor = _executor, executor
    try:
        yield
    finally:
        _executor = previous


def run_in_chunks(
    generator: Callable[Concatenate[Dataset, P], Iterator[Finding]],
    dataset: Dataset,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Iterator[Finding]:
    """Yield what a generator finds in the rows, in their order, wherever it runs.

    Small datasets run here: the first shards tell how long the rest would take. An exception comes
    out as if all had run here. Raises ValueError for a finding of no row.
    """
    for finding in _run_work(_Work(generator, args, kwargs), split_into_chunks(dataset)):
        if finding.row is None:
            raise ValueError(
                f"{generator.__module__}.{generator.__qualname__} is run on some rows at a time, "
                f"but yields a finding of no row ({finding.kind!r}); make what looks at the whole "
                "file a check of its own, without rows=True"
            )
        yield finding


@dataclass(frozen=True)
class _Work:
    """A generator and what it is called with beside the rows."""

    generator: Callable[..., Iterator[Finding]]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, chunk: Chunk) -> list[Finding]:
        return list(self.generator(chunk, *self.args, **self.kwargs))

    @cached_property
    def importable(self) -> tuple[str, str, bytes] | None:
        """The names to import it by and its arguments; None where another process cannot have it.

        It cannot where a notebook or a script defines it, or something among the arguments.
        """
        module, name = self.generator.__module__, self.generator.__qualname__
        function = getattr(sys.modules.get(module), name, None)
        if module == "__main__" or inspect.unwrap(function or _Work) is not self.generator:
            return None
        try:
            return module, name, pickle.dumps((self.args, self.kwargs))
        except Exception:  # pickle raises what it likes: TypeError, AttributeError, PicklingError
            return None


def _run_work(work: _Work, chunks: Sequence[Chunk]) -> Iterator[Finding]:
    if _executor is not None and work.importable:
        yield from _run_on_executor(work, chunks, _executor)
        return
    max_workers, start = worker_count(), time.perf_counter()
    in_this_process = (
        max_workers == 1 or multiprocessing.current_process().daemon or not work.importable
    )
    for done, chunk in enumerate(chunks, 1):
        yield from work(chunk)
        remaining = (time.perf_counter() - start) / done * (len(chunks) - done)
        if remaining > MIN_SECONDS and not in_this_process:
            with _process_pool(min(max_workers, MAX_PROCESSES, len(chunks) - done)) as pool:
                yield from _run_on_executor(work, chunks[done:], pool)
            return


def _run_on_executor(work: _Work, chunks: Sequence[Chunk], executor: Executor) -> Iterator[Finding]:
    assert work.importable
    futures = [executor.submit(_find_in_process, *work.importable, chunk) for chunk in chunks]
    try:
        for future, chunk in zip(futures, chunks, strict=True):
            findings = future.result()
            yield from work(chunk) if findings is None else findings
    finally:
        for future in futures:
            future.cancel()


def _find_in_process(
    module: str, name: str, arguments: bytes, chunk: Chunk
) -> list[Finding] | None:
    """Return what a check finds, or None for an exception: run where it is caught, it comes out
    as itself. Not every exception can be pickled, and of one that can the traceback is lost.
    """
    try:
        generator = inspect.unwrap(getattr(import_module(module), name))
        return _Work(generator, *pickle.loads(arguments))(chunk)
    except Exception:
        return None


class _Processes(ProcessPoolExecutor):
    """Processes that are deaf to Ctrl-C, and do not import `__main__`.

    A script without a guard would run in each of them; none needs it, since what is defined there
    does not go abroad. A process inherits which signals are held back, from its first moment on.
    """

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        main_module = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        release = _hold_signal(signal.SIGINT)
        try:
            return super().submit(*args, **kwargs)
        finally:
            sys.modules["__main__"] = main_module
            release()


def _hold_signal(number: signal.Signals) -> Callable[[], object]:
    """Hold a signal back from this thread and its children, until what is returned is called."""
    if sys.platform == "win32":
        return lambda: None
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    return lambda: signal.pthread_sigmask(signal.SIG_SETMASK, previous)


@contextmanager
def _process_pool(count: int) -> Iterator[Executor]:
    spawn = multiprocessing.get_context("spawn")
    pool = _Processes(count, spawn, initializer=_exit_with_parent)
    try:
        yield pool
    finally:  # after Ctrl-C too: each process ends with the shards that it has in hand
        pool.shutdown(cancel_futures=True)


def _exit_with_parent() -> None:
    """Ctrl-C is the parent's to answer; if it is killed, there is nobody left to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows
    parent = multiprocessing.parent_process()

    def wait_for_parent() -> None:
        if parent is not None:
            wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=wait_for_parent, daemon=True).start()
