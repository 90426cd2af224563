"""Every engine against a brute-force double loop over rapidfuzz."""

import random
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import combinations, product
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Indel

from tunegate.similarity import search as similar
from tunegate.similarity import windows

ENGINES = ["rapidfuzz", *(["numba", "blocks"] if find_spec("numba") else [])]


@pytest.fixture(params=ENGINES)
def fast(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Run a test once with each engine, however little there is to do."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "blocks":
            from tunegate.similarity import numba_kernel

            patch.setattr(numba_kernel, "BLOCK", 2)
            patch.setattr(numba_kernel, "WINDOW", 3)
        yield request.param in ("numba", "blocks")


any_fast = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

MOST = 192  # letters, up to which the search is exact
letters = st.text("abAB éß☃😀\ud800", max_size=9)
repeated = st.text("abc☃", min_size=1, max_size=40)
long = st.builds(lambda t, n: (t * n)[:MOST], repeated, st.integers(1, 30))
cutoffs = st.sampled_from([0.01, 0.5, 0.8, 0.85, 0.9, 1.0]) | st.floats(0.01, 1)


@st.composite
def edited(draw: st.DrawFn) -> list[str]:
    """Texts, and copies of them with a few letters lost, added and moved."""
    texts = draw(st.lists(letters | long, max_size=5))
    for text in list(texts):
        at, size = draw(st.integers(0, MOST)), draw(st.integers(0, 90))
        texts.append((text[:at] + draw(letters) + text[at + size :])[:MOST])
        texts.append(text[size:] + text[:size])
    return texts


def brute(left: Sequence[str], right: Sequence[str], cutoff: float) -> Iterator[similar.Pair]:
    for (i, a), (j, b) in product(enumerate(left), enumerate(right)):
        if (found := Indel.normalized_similarity(a, b)) >= cutoff:
            yield similar.Pair(i, j, found)


@given(texts=edited(), cutoff=cutoffs)
@any_fast
def test_pairs_are_those_of_a_double_loop(texts: list[str], cutoff: float, fast: bool) -> None:
    expected = [p for p in brute(texts, texts, cutoff) if p.i < p.j]
    assert sorted(similar.pairs(texts, cutoff, fast=fast)) == expected


@given(left=edited(), right=edited(), cutoff=cutoffs)
@any_fast
def test_matches_are_those_of_a_double_loop(
    left: list[str], right: list[str], cutoff: float, fast: bool
) -> None:
    right = right + left[:2]
    expected = list(brute(left, right, cutoff))
    assert sorted(similar.cross_pairs(left, right, cutoff, fast=fast)) == expected
    best = {
        i: min((-p.similarity, p.j) for p in expected if p.i == i) for i in {p.i for p in expected}
    }
    found = {c.i: (-c.similarity, c.j) for c in similar.nearest(left, right, cutoff, fast=fast)}
    assert found == best


@given(texts=edited(), cutoff=cutoffs)
@any_fast
def test_kept_texts_are_unlike_and_cover_the_rest(
    texts: list[str], cutoff: float, fast: bool
) -> None:
    gone = list(similar.deduplicate(texts, cutoff, fast=fast))
    stay = set(range(len(texts))) - {p.j for p in gone}
    near = {(p.i, p.j): p.similarity for p in brute(texts, texts, cutoff)}
    assert len({p.j for p in gone}) == len(gone)
    assert all(p.i in stay and near[p.i, p.j] == p.similarity for p in gone)
    assert not [pair for pair in combinations(sorted(stay), 2) if pair in near]


@given(texts=edited(), cutoff=cutoffs)
@any_fast
def test_groups_are_the_connected_components(texts: list[str], cutoff: float, fast: bool) -> None:
    component = [{i} for i in range(len(texts))]
    for i, j, _ in brute(texts, texts, cutoff):
        merged = component[i] | component[j]
        for k in merged:
            component[k] = merged
    expected = sorted({tuple(sorted(c)) for c in component if len(c) > 1})
    assert list(map(tuple, similar.connected_groups(texts, cutoff, fast=fast))) == expected


@pytest.mark.parametrize("size", [63, 64, 65, 127, 128, 129, 511, 513, 1500])
def test_word_boundaries_and_drift(size: int, fast: bool) -> None:
    """A block moved by the farthest the cutoff allows must still be found."""
    rng = random.Random(size)
    text = "".join(rng.choices("abcdefghij", k=size))
    room = int(size * 0.15)
    texts = [text, text[room:] + "x" * room, "y" * room + text, text[: size - room], text[::-1]]
    expected = [p for p in brute(texts, texts, 0.85) if p.i < p.j]
    assert len(expected) >= 3
    assert sorted(similar.pairs(texts, 0.85, fast=fast)) == expected


def test_a_pair_that_stands_at_the_cutoff_is_found(fast: bool) -> None:
    """rapidfuzz 3.14.6 itself gives 0 here, when it is told the cutoff."""
    texts = ["do you accept cash?", "do you accept checks?"]
    assert list(similar.pairs(texts, 0.85, fast=fast)) == [(0, 1, 0.85)]
    assert not list(similar.pairs(texts, 0.8500001, fast=fast))


def test_also_can_refuse(fast: bool) -> None:
    texts = ["one two three", "one two three!", "one two three?"]
    gone = similar.deduplicate(texts, 0.85, condition=lambda i, j: 2 in (i, j), fast=fast)
    assert sorted(gone) == [(1, 2, similar.ratio(texts[1], texts[2]))]


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["", "a"], ["a" * 5000]])
def test_little_or_nothing(texts: list[str], fast: bool) -> None:
    expected = [p for p in brute(texts, texts, 0.85) if p.i < p.j]
    assert list(similar.pairs(texts, 0.85, fast=fast)) == expected
    assert list(similar.cross_pairs(texts, [], 0.85, fast=fast)) == []
    assert list(similar.cross_pairs([], texts, 0.85, fast=fast)) == []


@pytest.mark.parametrize("cutoff", [0, -1, 1.01, 85, float("nan")])
def test_a_cutoff_that_is_no_similarity_is_an_error(cutoff: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and at most 1"):
        list(similar.pairs(["a"], cutoff))


def test_variants_of_few_templates_are_few_groups(fast: bool) -> None:
    kinds = ("my order number {:05} has not arrived", "please pay the bill {:05} at once")
    texts = [kinds[n % 2].format(n) for n in range(1500)]
    expected = [list(range(0, 1500, 2)), list(range(1, 1500, 2))]
    assert similar.connected_groups(texts, 0.85, fast=fast) == expected
    assert len(list(similar.deduplicate(texts, 0.85, fast=fast))) == 1498


def test_rapidfuzz_compares_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    texts = ["".join(rng.choices("ab", k=rng.randint(1, 12))) for _ in range(120)]
    expected = sorted(similar.pairs(texts, 0.8, fast=False))
    monkeypatch.setattr(similar, "BLOCK", 3)
    monkeypatch.setattr(similar, "COLUMNS", 7)
    assert sorted(similar.pairs(texts, 0.8, fast=False)) == expected


def test_small_searches_leave_numba_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tunegate.similarity.numba_kernel", raising=False)
    sides = [windows.TextsByLength(["a question"] * n + ["another"]) for n in (1, 1000)]
    assert all(
        windows.Search(s, s, 0.85).estimated_seconds < similar.KERNEL_MIN_SECONDS for s in sides
    )
    assert isinstance(
        similar.make_finder(sides[0], sides[0], 0.85, None).__self__, similar.NumpySearch
    )  # type: ignore[attr-defined]


@pytest.mark.parametrize(("letters", "nanoseconds"), [(60, 25), (190, 550)])
def test_the_time_is_estimated_by_the_pairs_and_their_letters(
    letters: int, nanoseconds: float
) -> None:
    texts = windows.TextsByLength([f"{n:0{letters}}" for n in range(11)])
    seconds = windows.Search(texts, texts, 0.85).estimated_seconds
    assert seconds == pytest.approx(55e-9 * nanoseconds, rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "loaded", "installed", "kernel"),
    [
        (2.0, False, True, True),
        (0.5, False, True, False),
        (0.5, True, True, True),
        (0.04, True, True, False),
        (2.0, False, False, False),
    ],
)
def test_the_kernel_runs_where_it_pays_and_can(
    monkeypatch: pytest.MonkeyPatch, seconds: float, loaded: bool, installed: bool, kernel: bool
) -> None:
    monkeypatch.setattr(windows.Search, "estimated_seconds", seconds)
    monkeypatch.setattr(similar, "_numba_installed", lambda: installed)
    assert chooses_kernel(monkeypatch, loaded) is kernel


def chooses_kernel(monkeypatch: pytest.MonkeyPatch, loaded: bool) -> bool:
    """Tell whether the kernel is chosen, by a stand-in for it, and not rapidfuzz."""

    class Compiled:
        def __init__(self, search: windows.Search) -> None: ...

        def find_near(self) -> None: ...

    kernel: Any = ModuleType("tunegate.similarity.numba_kernel")
    kernel.CompiledSearch = Compiled
    monkeypatch.setitem(sys.modules, kernel.__name__, kernel)
    seen = {kernel.__name__: kernel} if loaded else {}
    monkeypatch.setattr(similar, "sys", SimpleNamespace(modules=seen))
    side = windows.TextsByLength(["a", "b"])
    found: Any = similar.make_finder(side, side, 0.85, None)
    return isinstance(found.__self__, Compiled)


def test_without_numba_large_searches_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "KERNEL_MIN_SECONDS", -1.0)
    monkeypatch.setattr(similar, "LOADED_KERNEL_MIN_SECONDS", -1.0)
    monkeypatch.setattr(similar, "_numba_installed", lambda: False)
    assert list(similar.pairs(["one two", "one twos"], 0.85)) == [(0, 1, 1 - 1 / 15)]
