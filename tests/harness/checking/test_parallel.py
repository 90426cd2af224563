"""Row checks give the same findings wherever they run, and leave no process behind."""

import inspect
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate import Dataset, Finding, check
from tunegate.checking import parallel
from tunegate.utils import processes
from tunegate_checks.data import format, pii

# In a module of its own: other processes import it, and need not import pytest for that.
TOY = """\
import os
from pathlib import Path
from tunegate import Finding, check

class Unlucky(Exception):
    def __init__(self, one, two):  # so it cannot be unpickled
        super().__init__(f"{one} {two}")

@check(per_row=True)
def find(dataset, *, bad="bad"):
    for e in dataset:
        if e.prompt == bad:
            yield Finding(e.row, e.line, bad, str(os.getpid()))
        if e.prompt == "raise":
            raise Unlucky("bad", "luck")

@check(per_row=True)
def slow(dataset):
    if dataset[0].row:  # the first shard, which runs at once, is quick
        if dataset[0].row == 1:  # two that write at once would write into each other's line
            os.write(1, b"here\\n")
        while not Path("go").exists():
            os.sched_yield()
    yield Finding(dataset[0].row, 1, "slow", "")
"""

SCRIPT = """\
from tunegate import Dataset
from tunegate.checking import parallel
import toy
parallel.CHUNK_ROWS, parallel.MIN_SECONDS, parallel.worker_count = 1, -1, lambda: 2
messages = [{"role": "user", "content": "bad"}, {"role": "assistant", "content": "a"}]
print("found", len(toy.CHECK(Dataset.of([{"messages": messages}] * 6))), flush=True)
"""


def row(prompt: str, system: str = "") -> dict[str, object]:
    turns = (("system", system), ("user", prompt), ("assistant", "a"))
    return {"messages": [{"role": r, "content": c} for r, c in turns if c or r != "system"]}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("toy", None)


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is to do."""
    monkeypatch.setattr(parallel, "CHUNK_ROWS", 2)
    monkeypatch.setattr(parallel, "MIN_SECONDS", -1)
    monkeypatch.setattr(parallel, "worker_count", lambda: 2)


@check(per_row=True)
def kinds(dataset: Dataset) -> Iterator[Finding]:
    """Says of each row what stands in it: hints, several findings, none."""
    for e in dataset:
        for word in e.prompt.split():
            yield Finding(e.row, e.line, word, f"{e.row} {e.prompt}", hint=word == "hint")


def send_to(executor: Executor, patch: pytest.MonkeyPatch) -> None:
    """Send the chunks that do not run in this process to this executor."""
    patch.setattr(parallel, "worker_count", lambda: 2)
    patch.setattr(parallel, "_Processes", lambda *_, **__: executor)


@given(
    prompts=st.lists(st.sampled_from(["x", "hint", "x hint y", "fine"]), max_size=12),
    size=st.integers(1, 13),
)
@settings(deadline=None, max_examples=60)
def test_findings_do_not_depend_on_the_shards(prompts: list[str], size: int) -> None:
    dataset = Dataset.of([row(p) for p in prompts])
    expected = kinds(dataset)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as threads:
        patch.setattr(parallel, "CHUNK_ROWS", size)
        here = kinds(dataset)
        patch.setattr(parallel, "MIN_SECONDS", -1)
        send_to(threads, patch)
        there = kinds(dataset)
    assert expected == here == there
    assert len(there) == sum(w != "hint" for w in " ".join(prompts).split())
    assert there.n == len(prompts)


@given(
    systems=st.lists(st.sampled_from(["", "Write to a@ex.org.", "b@ex.org", "none"]), max_size=9),
    size=st.integers(1, 10),
)
@settings(deadline=None, max_examples=60)
def test_a_shared_system_prompt_is_told_once(systems: list[str], size: int) -> None:
    dataset = Dataset.of([row("c@ex.org" if i == 4 else "x", s) for i, s in enumerate(systems)])
    expected = pii.find(dataset)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "CHUNK_ROWS", size)
        assert pii.find(dataset) == expected
    asked = {s for s in systems if "@" in s}
    assert len(expected) == len(asked) + (len(systems) > 4)


def test_what_concerns_the_file_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "CHUNK_ROWS", 1)
    lines = b'{"messages": [{"role": "user", "content": "x"}]}\n' * 3 + b"{\n"
    kinds = format.find(Dataset.parse(lines), fewest=10).kinds
    assert kinds == {"last": 3, "json": 1, "too few": 1}


def test_other_processes_find_the_same(toy: Path, two_processes: None) -> None:
    import toy as module  # type: ignore[import-not-found]

    dataset = Dataset.of([row("bad" if i % 3 else "fine") for i in range(12)])
    found = module.find(dataset)
    assert [f.row for f in found] == [i for i in range(12) if i % 3]
    assert {f.evidence for f in found} > {str(os.getpid())}  # the first shard runs here
    assert module.find(dataset, bad="fine").rows == [0, 3, 6, 9]


def test_an_exception_comes_out_as_itself(
    toy: Path, two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import toy as module

    dataset = Dataset.of([row("raise" if i == 7 else "fine") for i in range(9)])
    with pytest.raises(module.Unlucky, match="bad luck"):
        module.find(dataset)
    send_to(ThreadPoolExecutor(2), monkeypatch)
    with pytest.raises(module.Unlucky):
        module.find(dataset)


class Waiting(Executor):
    """Answers the first request, and none after it."""

    def __init__(self) -> None:
        self.futures: list[Future[object]] = []

    def submit(self, function: Callable[..., object], /, *args: object, **kwargs: object) -> Any:
        self.futures.append(Future())
        if len(self.futures) == 1:
            self.futures[0].set_result(function(*args, **kwargs))
        return self.futures[-1]


def test_what_is_no_longer_wanted_is_not_begun(
    two_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, executor = Dataset.of([row("x")] * 9), Waiting()
    send_to(executor, monkeypatch)
    findings = parallel.run_in_chunks(inspect.unwrap(kinds), dataset)
    assert [next(findings).row for _ in range(4)] == [0, 1, 2, 3]
    assert [f.cancelled() for f in executor.futures] == [False] * 4
    findings.close()  # type: ignore[attr-defined]
    assert [f.cancelled() for f in executor.futures] == [False, True, True, True]


def test_what_cannot_be_sent_runs_here(toy: Path, two_processes: None) -> None:
    import toy as module

    @check(per_row=True)
    def local(dataset: Dataset, *, key: object = None) -> Iterator[Finding]:
        yield Finding(dataset[0].row, 1, "pid", str(os.getpid()))

    dataset = Dataset.of([row("bad")] * 6)
    assert {f.evidence for f in local(dataset)} == {str(os.getpid())}
    assert len(module.find(dataset, bad=type("Word", (str,), {})("bad"))) == 6


def script(folder: Path, name: str) -> "subprocess.Popen[str]":
    """Start a script that has no `if __name__ == "__main__"`, in a process group of its own."""
    (folder / "script.py").write_text(SCRIPT.replace("CHECK", name))
    return subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def test_a_script_without_a_guard_runs_once(toy: Path) -> None:
    out, err = script(toy, "find").communicate(timeout=60)
    assert (out, err) == ("found 6\n", "")


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_its_parent(toy: Path, by: signal.Signals) -> None:
    """The pipe ends when the last process that could write to it has ended."""
    with script(toy, "slow") as parent:
        assert parent.stdout is not None
        said = parent.stdout.readline()
        if by == signal.SIGINT:
            os.killpg(parent.pid, by)  # as a terminal does
            (toy / "go").touch()
        else:
            parent.kill()
        _, err = parent.communicate(timeout=60)
    assert said == "here\n"
    assert parent.returncode == -by
    assert ("KeyboardInterrupt" in err) == (by == signal.SIGINT)
    assert "SpawnProcess" not in err


def test_a_shard_is_sent_without_what_its_examples_have_worked_out() -> None:
    dataset = Dataset.of([row(f"p{i}", "s") for i in range(5)], "train")
    assert [e.prompt for e in dataset]
    first, second, third = parallel.split_into_chunks(dataset, 2)
    again = pickle.loads(pickle.dumps(second))
    assert [vars(e).keys() for e in again] == [{"row", "line", "fields", "reading"}] * 2
    assert ([e.row for e in again], again.split) == ([2, 3], "train")
    assert [m["content"] for m in again.earlier_messages] == ["s"]
    assert (
        first.earlier_messages,
        dataset.earlier_messages,
        len(third),
    ) == ([], (), 1)
    assert [len(s) for s in parallel.split_into_chunks(Dataset.of([]))] == [0]


def test_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for key in (processes.WORKERS_VARIABLE, "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(key, raising=False)
    assert processes.worker_count() == 8
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    assert processes.worker_count() == 2
    monkeypatch.setenv(processes.WORKERS_VARIABLE, "5")
    assert processes.worker_count() == 5
    for wrong in ("0", "-1", "two", "", "1.5"):
        monkeypatch.setenv(processes.WORKERS_VARIABLE, wrong)
        with pytest.raises(ValueError, match=r"TUNEGATE_WORKERS is .*; a whole number of 1"):
            processes.worker_count()
