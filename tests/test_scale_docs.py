"""docs/scale.md: what it says on paper follows from what was measured, and both pages agree."""

from __future__ import annotations

import math
import re
import sqlite3
import sys
from pathlib import Path

import pytest
from readmes import ROOT

from tunegate.config.schema import Limits
from tunegate.pytest_plugin import plugin
from tunegate.storage.answer_cache import AnswerCache
from tunegate.utils.processes import WORKERS_VARIABLE
from tunegate_checks.data import labels, splits

sys.path.insert(0, str(ROOT / "benchmarks"))

import scale

PAGES = ("docs/scale.md", "docs/scale.pt-BR.md")


def text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def tables(page: str) -> list[list[list[str]]]:
    """Return the tables, each as its lines of cells."""
    found = re.findall(r"(?:^\|.*\|\n)+", text(page), re.M)
    return [
        [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
        for table in found
    ]


def number(cell: str) -> float:
    """Return the first number of an English cell."""
    (first, *_) = re.findall(r"[\d,.]*\d", cell)
    return float(first.replace(",", ""))


def figures(told: str) -> list[str]:
    """Return the numbers of a text, whichever language's signs are in them."""
    return re.findall(r"\d+", re.sub(r"(?<=\d)[.,](?=\d)", "", told))


def test_both_pages_have_the_same_figures() -> None:
    one, other = (
        [[figures(" ".join(line)) for line in table] for table in tables(page)] for page in PAGES
    )
    assert one == other
    assert sorted(figures(text(PAGES[0]))) == sorted(figures(text(PAGES[1])))


def test_what_stands_on_paper_follows_from_the_pieces() -> None:
    """The table of 100 and 1,000 million rows, from its column of what was measured."""
    per_row, leakage, near, memory, machines, hours, near_hours = tables(PAGES[0])[3]
    for column, rows in ((2, 1e8), (3, 1e9)):
        core_hours = [
            rows * number(per_row[1]) * 1e-3 / 3600,
            rows * 10_000 * number(leakage[1]) * 1e-9 / 3600,
            rows**2 / 2 * number(near[1]) * 1e-9 / 3600,
        ]
        for line, value in zip((per_row, leakage, near), core_hours, strict=True):
            assert number(line[column]) == pytest.approx(value, rel=0.02)
        gib = rows / 1e6 * number(memory[1])
        assert number(memory[column]) == gib
        count = math.ceil(gib / 128)
        assert number(machines[column]) == count
        cores = 32 * count
        assert number(hours[column]) == pytest.approx(sum(core_hours[:2]) / cores, rel=0.1)
        assert number(near_hours[column]) == pytest.approx(core_hours[2] / cores, rel=0.02)


def test_the_pieces_are_those_of_the_tables() -> None:
    sizes, tests, joins, paper, _ = tables(PAGES[0])
    assert number(paper[2][1]) == number(joins[-1][3])
    for letters, texts, cpu, nanoseconds, _ in joins:
        pairs = number(texts) ** 2 / 2
        assert number(nanoseconds) == pytest.approx(number(cpu) * 1e9 / pairs, rel=0.02)
        assert int(letters) in (scale.SHORT, scale.LETTERS)
    assert number(paper[3][1]) == pytest.approx(number(sizes[-1][4]) / 0.3, rel=0.05)
    for _, before, now, growth in tests:
        assert number(growth) == pytest.approx(number(now) / number(before), rel=0.05)
    assert number(tests[-1][2]) * 0.3 == pytest.approx(number(sizes[-1][2]), rel=0.01)


@pytest.mark.parametrize("page", PAGES)
def test_what_it_names_exists(page: str) -> None:
    told = text(page)
    assert "largest_mb" in Limits.model_fields
    assert Limits().largest_mb == 512
    assert f"similarity = {Limits().similarity}" in told
    assert f"`{WORKERS_VARIABLE}`" in told
    for function, count in (
        ("labels.errors", labels.MAX_ROWS),
        ("splits.drift", splits.MAX_SAMPLE),
    ):
        assert f"`{function}`" in told
        assert f"{count:,}" in told.replace(".", ",")
    assert {labels.errors.__name__, splits.drift.__name__} == {"errors", "drift"}  # type: ignore[attr-defined]
    suite = "".join(path.read_text() for path in (ROOT / "suites/data").glob("test_*.py"))
    for name in re.findall(r"^\| `(test_\w+)`", told, re.M):
        assert f"def {name}(" in suite
    assert "--train-data" in told
    assert 'f"--{split}-data"' in Path(plugin.__file__).read_text()


def test_the_cache_is_what_no_two_machines_may_share(tmp_path: Path) -> None:
    """SQLite's write-ahead log wants shared memory: https://sqlite.org/wal.html."""
    AnswerCache(tmp_path / "answers.sqlite").close()
    with sqlite3.connect(tmp_path / "answers.sqlite") as db:
        assert db.execute("pragma journal_mode").fetchone() == ("wal",)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_the_benchmark_measures_each_test_and_the_join(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["scale.py", "150", "300", "--join", "400", "--keep", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    scale.main()
    out = capsys.readouterr().out
    assert "| a million rows | 150 rows: CPU-s | GiB | 300 rows: CPU-s | GiB | growth |" in out
    for name in (scale.BARE, "test_labels.py::test_labels_fit_their_questions", scale.ALL):
        (line,) = [ln for ln in out.splitlines() if ln.startswith(f"| {name} |")]
        assert line.count("|") == 7
    joins = re.findall(r"^\| (\d+) \| (\d+) \|", out, re.M)
    assert joins == [("100", "400"), ("300", "400")]
