"""Two branches that both promoted: all entries are kept, and contested aliases wait."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.errors import ConfigError
from tunegate.storage.registry import (
    History,
    Registry,
    RegistryBroken,
    promotions_in_force,
)

Moves = Sequence[tuple[str, str]]  # alias and run; the run "" is a rollback

MOVES = st.lists(
    st.tuples(st.sampled_from(["production", "staging"]), st.sampled_from(["", "a", "b", "c"])),
    max_size=4,
)


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def move(registry: Registry, moves: Moves, reason: str) -> None:
    """Promote and roll back; a rollback of nothing is left out."""
    for number, (alias, run) in enumerate(moves):
        facts = {"run": run, "model": f"toy:{run}", "model_digest": run * 2}
        if run:
            registry.append("promote", alias, facts, f"{reason} {number}")
        elif len(promotions_in_force(registry.entries(), alias)) > 1:
            registry.rollback(alias, f"{reason} {number}")


def branches(folder: Path, common: Moves, ours: Moves, theirs: Moves) -> tuple[Registry, Path]:
    """Make the registry of one branch, and beside it the files `theirs` and `base`."""
    registry = Registry(folder)
    registry.path.touch()
    move(registry, common, "both")
    base = Path(shutil.copy(registry.path, folder / "base"))
    move(registry, theirs, "theirs")
    registry.path.rename(folder / "theirs")
    shutil.copy(base, registry.path)
    move(registry, ours, "ours")
    return registry, folder / "theirs"


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def where(registry: Registry) -> dict[str, list[str]]:
    """Return the runs of the promotions in force, by alias."""
    entries = registry.entries()
    aliases = {e["alias"] for e in entries if e["alias"]}
    return {a: [e["run"] for e in promotions_in_force(entries, a)] for a in sorted(aliases)}


@settings(max_examples=60, deadline=None)
@given(common=MOVES, ours=MOVES, theirs=MOVES)
def test_any_two_descendants_of_one_history(common: Moves, ours: Moves, theirs: Moves) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry, other = branches(folder, common, ours, theirs)
        before, base = lines(registry.path), Registry(folder, folder / "base")
        sides = [where(base), where(registry), where(Registry(folder, other))]
        touched = [
            {e["alias"] for e in Registry(folder, path).entries()[len(base.entries()) :]}
            for path in (registry.path, other)
        ]
        added = registry.merge("joined", other, folder / "base")
        merged = lines(registry.path)
        kept = list(dict.fromkeys([*before, *lines(other)]))
        assert merged[: len(kept)] == kept
        entries = registry.entries()
        assert [*registry.history().undecided()] == sorted(touched[0] & touched[1])
        if added:
            heads = {Registry(folder, other).entries()[-1].digest, added["previous"]}
            assert {added["previous"], *added["merges"]} == heads
            assert (len(merged), entries[-1]) == (len(kept) + 1, added)
        for alias, runs in where(registry).items():
            side = 0 if alias in touched[0] & touched[1] else 1 if alias in touched[0] else 2
            assert runs == sides[side].get(alias, [])
        # Merged twice is once, from either side.
        assert registry.merge("again", other, folder / "base") is None
        assert lines(registry.path) == merged
        assert Registry(folder, other).merge("back", registry.path) is None
        assert sorted(lines(other)) == sorted(merged)  # each puts its own side first
        assert where(Registry(folder, other)) == where(registry)


@settings(max_examples=30, deadline=None)
@given(ours=MOVES, theirs=MOVES, later=MOVES)
def test_two_people_join_the_same_branches(ours: Moves, theirs: Moves, later: Moves) -> None:
    """Their merges are two branches in turn: what one of them did after it is not contested."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry, other = branches(folder, [("production", "a")], ours, theirs)
        second = Registry(folder, Path(shutil.copy(registry.path, folder / "second")))
        registry.merge("one", other)
        second.merge("two", other)
        move_decided = [(alias, run) for alias, run in later if run]
        move(second, move_decided, "later")
        expected, undecided = where(second), {*second.history().undecided()}
        registry.merge("both", second.path)
        assert (where(registry), {*registry.history().undecided()}) == (expected, undecided)
        assert {*lines(second.path)} <= {*lines(registry.path)}


def git_merge(folder: Path, *moves: Moves, top: Path | None = None) -> int:
    """Make two branches in git that promoted, join them, and return git's exit status.

    `top` is git's folder, that of the project or one above it.
    """
    settings_ = ("-c", "user.name=a", "-c", "user.email=a@b.invalid", "-c", "commit.gpgsign=false")
    driver = f"merge.tunegate.driver={sys.executable} -m tunegate registry merge %A %B %O %P"

    def git(*args: str) -> int:
        command = ["git", *settings_, "-c", driver, *args]
        return subprocess.run(
            command, cwd=top or folder, check=False, capture_output=True
        ).returncode

    registry = Registry(folder)
    move(registry, [("production", "a")], "both")
    (folder / "tunegate.toml").touch()
    assert [git("init", "-q", "-b", "one"), git("add", "."), git("commit", "-qm", "x")] == [0] * 3
    for branch, its_moves in zip(("two", "three"), moves, strict=True):
        assert git("checkout", "-qb", branch, "one") == 0
        move(registry, its_moves, branch)
        assert git("commit", "-qam", branch) == 0
    return git("merge", "-q", "-m", "x", "two")


@needs_git
def test_the_conflict_that_git_leaves(tmp_path: Path) -> None:
    assert git_merge(tmp_path, [("production", "b")], [("production", "c")]) == 1
    registry = Registry(tmp_path)
    with pytest.raises(RegistryBroken, match=r"line 2: two branches .* `tunegate registry merge`"):
        registry.entries()
    assert registry.merge("") is not None
    assert [entry["run"] for entry in registry.entries()[:-1]] == ["a", "c", "b"]
    assert where(registry) == {"production": ["a"]}
    move(registry, [("staging", "a")], "goes on")
    assert len(registry.entries()) == 5


@needs_git
@pytest.mark.parametrize(
    ("alias", "code", "below"), [("staging", 0, "project"), ("production", 1, "")]
)
def test_git_calls_it_as_its_merge_driver(
    tmp_path: Path, alias: str, code: int, below: str
) -> None:
    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    (folder / ".gitattributes").write_text("registry.jsonl merge=tunegate")
    assert git_merge(folder, [("production", "b")], [(alias, "c")], top=tmp_path) == code
    registry = Registry(folder)
    assert [entry["action"] for entry in registry.entries()] == [*["promote"] * 3, "merge"]
    assert [*registry.history().undecided()] == ([alias] if code else [])


@pytest.mark.parametrize("ours", ["b", ""])
def test_one_after_the_other(tmp_path: Path, ours: str) -> None:
    """As git's `merge=union` leaves it, with no common entry too."""
    common = [("production", "a")] if ours else []
    registry, other = branches(tmp_path, common, [("production", "b")], [("staging", "c")])
    whole = [*lines(registry.path), *lines(other)[len(common) :]]
    registry.path.write_bytes(b"\n".join(whole))
    with pytest.raises(RegistryBroken, match=f"line {len(whole)}: .* two branches"):
        registry.entries()
    assert registry.merge() is not None
    assert where(registry) == {"production": [*(["a"] if ours else []), "b"], "staging": ["c"]}


def contested(folder: Path) -> Registry:
    ours, theirs = [("production", "b")], [("production", "c"), ("staging", "c")]
    registry, other = branches(folder, [("production", "a")], ours, theirs)
    registry.merge("", other)
    return registry


@pytest.mark.parametrize(
    ("run", "stands"), [("b", ["a", "b"]), ("run:c", ["a", "c"]), ("cc", ["a", "c"]), ("a", ["a"])]
)
def test_a_decision(tmp_path: Path, run: str, stands: list[str]) -> None:
    registry = contested(tmp_path)
    assert where(registry) == {"production": ["a"], "staging": ["c"]}
    with pytest.raises(ConfigError, match="two branches moved 'production': decide first"):
        registry.rollback("production", "")
    before = registry.path.read_bytes()
    (added,) = registry.keep(run, "seen on refunds")
    assert (added["run"], added["from"], added["why"]) == (stands[-1], "a", "seen on refunds")
    assert where(registry) == {"production": stands, "staging": ["c"]}
    assert registry.history().undecided() == {}
    assert registry.path.read_bytes().startswith(before)
    if len(stands) > 1:
        assert registry.rollback("production", "")["run"] == "a"


def test_a_new_promotion_decides_too(tmp_path: Path) -> None:
    registry = contested(tmp_path)
    facts = {"run": "a", "model": "toy:a", "model_digest": "aa"}
    added = registry.promote("production", facts, "", registry.current("production"))
    assert added is not None
    assert (registry.history().undecided(), where(registry)["production"]) == ({}, ["a", "a"])


@pytest.mark.parametrize(("run", "alias"), [("z", None), ("", None), ("c", "staging")])
def test_a_decision_for_a_run_of_no_branch(tmp_path: Path, run: str, alias: str | None) -> None:
    registry = contested(tmp_path)
    before = registry.path.read_bytes()
    undecided = "none" if alias else "production: run:a, production: run:b, production: run:c"
    with pytest.raises(ConfigError, match=f"no undecided alias has .*; undecided: {undecided}"):
        registry.keep(run, "", alias)
    assert registry.path.read_bytes() == before


@pytest.mark.parametrize("name", ["base", "theirs", "registry.jsonl"])
def test_a_line_that_was_rewritten_joins_nothing(tmp_path: Path, name: str) -> None:
    registry, other = branches(
        tmp_path, [("production", "a")], [("production", "b")], [("production", "c")]
    )
    path = tmp_path / name
    path.write_bytes(path.read_bytes().replace(b"both 0", b"both 1"))
    before = registry.path.read_bytes()
    with pytest.raises(RegistryBroken, match=f"{name if name == 'base' else ''}.*line"):
        registry.merge("", other, tmp_path / "base")
    assert registry.path.read_bytes() == before


@pytest.mark.parametrize("name", ["registry.jsonl", "theirs"])
@pytest.mark.parametrize("kept", [slice(1, None), slice(0, 1)])
def test_each_version_must_be_a_chain_of_its_own(tmp_path: Path, name: str, kept: slice) -> None:
    """What it lacks may stand in the other one, and what it forks may be joined by the merge."""
    registry, other = branches(
        tmp_path, [("production", "a")], [("production", "b")], [("production", "c")]
    )
    path = tmp_path / name
    rest = lines(other if path == registry.path else registry.path) if kept.stop else []
    path.write_bytes(b"\n".join([*lines(path)[kept], *rest[1:], *lines(path)[1:][: len(rest)]]))
    before = registry.path.read_bytes()
    with pytest.raises(RegistryBroken, match=f"{name}, line"):
        registry.merge("", other)
    assert registry.path.read_bytes() == before


@pytest.mark.parametrize("number", range(1, 6))
def test_a_joined_chain_shows_an_edited_a_removed_and_a_doubled_line(
    tmp_path: Path, number: int
) -> None:
    """Of all lines but the last, as in a chain that never forked."""
    registry = contested(tmp_path)
    move(registry, [("other", "d")], "later")
    whole = registry.path.read_bytes().splitlines(keepends=True)
    assert len(whole) == 6
    line, rest = whole[number - 1], (whole[: number - 1], whole[number:])
    for changed in ([line.replace(b'"who": "', b'"who": "not ')], [], [line, line]):
        registry.path.write_bytes(b"".join([*rest[0], *changed, *rest[1]]))
        with pytest.raises(RegistryBroken, match="chain is broken here"):
            registry.entries()


def test_a_long_history_is_read_in_time_that_grows_with_it(tmp_path: Path) -> None:
    registry, _ = branches(tmp_path, [("production", "a")], [], [])
    (first,) = registry.entries()
    entries = [first]
    for number in range(3000):
        entry = type(first)(first | {"previous": entries[-1].digest, "run": str(number)})
        entry.digest = str(number)
        entries.append(entry)
    assert promotions_in_force(entries, "production") == entries
    standings = [standing["production"] for standing in History(entries).standings]
    assert [standing.entry for standing in standings] == entries
    # Each line adds what it promotes to what stood before it, which it does not copy.
    assert all(new.promotions[-1] is old.promotions for old, new in pairwise(standings))
    assert sum(len(standing.promotions) for standing in standings) == 2 * len(entries)
