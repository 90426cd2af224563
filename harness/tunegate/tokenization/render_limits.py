"""Stops a chat template that loops for ever or takes all memory: it comes with a model's files."""

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

MAX_SECONDS = 10.0  # of one conversation; usual templates take less than a millisecond
MAX_MEMORY = 1 << 30  # bytes that the process may grow by meanwhile
POLL_SECONDS = 0.5


class RenderStopped(Exception):
    """A template ran too long, or needed too much memory."""

    def __init__(self) -> None:
        super().__init__(f"it ran longer than {MAX_SECONDS:g} s, and was stopped")


class Watchdog:
    """A thread that raises RenderStopped in late threads; signals reach the main thread alone."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.deadlines: dict[int, float] = {}  # by thread, `time.monotonic`
        self.stopped: set[int] = set()
        self.thread: threading.Thread | None = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Let the block run for MAX_SECONDS."""
        me = threading.get_ident()
        with self.lock:
            self.deadlines[me] = time.monotonic() + MAX_SECONDS
            if self.thread is None or not self.thread.is_alive():  # after a fork too
                self.thread = threading.Thread(target=self._poll, name="templates", daemon=True)
                self.thread.start()
        try:
            yield
        finally:
            with self.lock:
                self.deadlines.pop(me, None)
                if me in self.stopped:  # raised, but perhaps not seen yet
                    self.stopped.discard(me)
                    _raise_in(me, None)

    def _poll(self) -> None:
        clock = threading.Event()  # never set
        while True:
            clock.wait(POLL_SECONDS)
            with self.lock:
                if not self.deadlines:
                    self.thread = None
                    return
                for thread, deadline in self.deadlines.items():
                    if time.monotonic() > deadline and thread not in self.stopped:
                        self.stopped.add(thread)
                        _raise_in(thread, RenderStopped)


def _raise_in(thread: int, exception: type[Exception] | None) -> None:
    """Raise an exception in a thread at its next step in Python; None takes it back."""
    value = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), value)


class MemoryLimit:
    """Bounds the memory of the process while threads are inside the block; where a system can."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.before: tuple[int, int] | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let the process grow by MAX_MEMORY, at most; raise MemoryError where it needs more."""
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.before = _bound_memory()
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if not self.inside and self.before is not None:
                    import resource

                    resource.setrlimit(resource.RLIMIT_AS, self.before)


def _bound_memory() -> tuple[int, int] | None:
    """Set the bound on the process's address space; return the one before, None for no change."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
        bound = size + MAX_MEMORY
        if min(bound if limit == resource.RLIM_INFINITY else limit for limit in before) < bound:
            return None
        resource.setrlimit(resource.RLIMIT_AS, (bound, before[1]))
    except (ImportError, OSError, ValueError):  # no such limit on Windows, no /proc on macOS
        return None
    return before


watchdog, memory = Watchdog(), MemoryLimit()  # a template is rendered while both hold


def uses_powers(template: str) -> bool:
    """Whether a template computes powers, `9 ** 9 ** 9`: one such step cannot be stopped."""
    from jinja2 import Environment, TemplateSyntaxError

    before = "("
    try:
        for _, kind, value in Environment().lex(template):
            if kind == "operator" and value == "**" and before not in "(,":
                return True
            before = before if kind == "whitespace" else value
    except TemplateSyntaxError:
        return False  # it is refused when it is used
    return False
