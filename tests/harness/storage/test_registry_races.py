"""What two processes do to one registry at once: each answer is true, and the chain holds."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

import pytest

from tunegate.storage.registry import AliasMoved, Registry

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

ROUNDS = 100

Answers = list[tuple[str, str]]


def facts(run: str) -> dict[str, str]:
    return {"run": run, "model": f"toy:{run}", "model_digest": run}


def race(kind: str, name: str, folder: Path, barrier: Barrier, queue: Queue[Answers]) -> None:
    """Do the same thing as another process, in each round in a registry of its own."""
    answers = []
    for number in range(ROUNDS):
        registry = Registry(folder / str(number))
        seen = registry.current("production")
        barrier.wait()
        if kind == "rollback":
            entry = registry.rollback("production", name)
            answers.append((entry["from"], entry["run"]))
            continue
        try:
            added = registry.promote("production", facts(name), "", seen)
            answers.append((name, "promoted" if added else "was already"))
        except AliasMoved:
            answers.append((name, "moved"))
    queue.put(answers)


def raced(kind: str, names: tuple[str, str], folder: Path) -> list[list[tuple[str, str]]]:
    """Return the two answers of each round, sorted."""
    for number in range(ROUNDS):
        (folder / str(number)).mkdir()
        registry = Registry(folder / str(number))
        for run in "abc":
            registry.append("promote", "production", facts(run), "")
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(2), context.Queue()
    children = [
        context.Process(target=race, args=(kind, name, folder, barrier, queue)) for name in names
    ]
    for child in children:
        child.start()
    answers = [queue.get(timeout=120) for _ in children]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    return [sorted(pair) for pair in zip(*answers, strict=True)]


def test_two_rollbacks_at_once(tmp_path: Path) -> None:
    rounds = raced("rollback", ("one", "two"), tmp_path)
    assert rounds == [[("b", "a"), ("c", "b")]] * ROUNDS
    for number in range(ROUNDS):
        assert (Registry(tmp_path / str(number)).current("production") or {})["run"] == "a"


def promote_many(name: str, folder: Path) -> None:
    for number in range(ROUNDS):
        registry = Registry(folder)
        assert registry.promote(f"{name}-{number}", facts(name), "", None)


@pytest.mark.slow
def test_two_processes_fill_one_registry_and_no_line_is_lost(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    names = ("one", "two")
    children = [context.Process(target=promote_many, args=(name, tmp_path)) for name in names]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    entries = Registry(tmp_path).entries()  # raises where the chain does not hold
    aliases = [f"{name}-{number}" for name in names for number in range(ROUNDS)]
    assert sorted(entry["alias"] for entry in entries) == sorted(aliases)


@pytest.mark.slow
@pytest.mark.parametrize("names", [("d", "e"), ("d", "d")])
def test_two_promotions_at_once(tmp_path: Path, names: tuple[str, str]) -> None:
    """The second one was compared with a model that is in force no more, or is done already."""
    late = "was already" if names[0] == names[1] else "moved"
    for number, answers in enumerate(raced("promote", names, tmp_path)):
        assert sorted(said for _, said in answers) == sorted([late, "promoted"])
        (winner,) = [name for name, said in answers if said == "promoted"]
        entries = Registry(tmp_path / str(number)).entries()
        assert [entry["run"] for entry in entries] == ["a", "b", "c", winner]
