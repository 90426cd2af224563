"""The review check: what counts as a human review of generated rows, and what does not."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunegate import Dataset, Findings
from tunegate_checks.data import review
from tunegate_checks.review import sheet
from tunegate_checks.review.sheet import draw_order, population, sample_size

Change = Callable[[list[dict[str, str]]], object]


def row(n: int, **fields: Any) -> dict[str, Any]:
    told = [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]
    return {"messages": told, **fields}


DATA = Dataset.of([row(n) for n in range(200)], "train")
MIXED = Dataset.of([row(n, generated=n < 50) for n in range(200)], "train")


def filled(
    folder: Path, dataset: Dataset = DATA, *, share: float = 0.1, wrong: int = 0, seed: int = 0,
    by: str = "Ana", change: Change | None = None, generated: bool = False,
) -> Path:  # fmt: skip
    """Draw a sample, fill it in as a person would, and change what `change` changes."""
    rows = population(dataset, generated)
    drawn = draw_order(dataset, rows, seed)[: sample_size(len(rows), share)]
    path = folder / f"{seed}.csv"
    sheet.write_sheet(path, dataset, [dataset[r] for r in drawn], seed)
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = list(csv.DictReader(file))
    for i, line in enumerate(table):
        line |= {"verdict": "wrong" if i < wrong else "OK ", "reviewer": by}
    if change:
        change(table)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, sheet.COLUMNS)
        writer.writeheader()
        writer.writerows(table)
    return path


def find(folder: Path, dataset: Dataset = DATA, *, generated: bool = True) -> Findings:
    return review.find(dataset, folder=folder, generated=generated)


def test_generated_rows_want_a_review(tmp_path: Path) -> None:
    (finding,) = find(tmp_path)
    assert finding.evidence == (
        "0 of 200 generated rows reviewed, 10 % needed: tunegate review sample FILE"
    )


@pytest.mark.parametrize(("share", "kinds"), [(0.1, []), (0.05, ["too few"])])
def test_ten_per_cent_will_do(tmp_path: Path, share: float, kinds: list[str]) -> None:
    filled(tmp_path, share=share)
    assert [f.kind for f in find(tmp_path)] == kinds


@pytest.mark.parametrize(("wrong", "kinds"), [(1, []), (2, ["errors"])])
def test_one_in_twenty_may_be_wrong(tmp_path: Path, wrong: int, kinds: list[str]) -> None:
    filled(tmp_path, wrong=wrong)
    found = find(tmp_path)
    assert [f.kind for f in found] == kinds
    if kinds:
        assert found[0].evidence == (
            "20 of 200 rows (10 %) reviewed by Ana: 10 % wrong (95 % interval 2.8 to 30 %); "
            "at most 5 % may be"
        )


def test_who_reviewed_how_much_is_a_hint(tmp_path: Path) -> None:
    filled(tmp_path, by="Rui")
    filled(tmp_path, seed=1, by="Ana")
    (hint,) = find(tmp_path, generated=False).hints
    assert "rows (" in hint.evidence
    assert "reviewed by Ana, Rui: 0 % wrong" in hint.evidence


def test_a_row_says_itself_that_it_was_generated(tmp_path: Path) -> None:
    (finding,) = find(tmp_path, MIXED, generated=False)
    assert finding.evidence.startswith("0 of 50 generated rows reviewed")
    filled(tmp_path, MIXED)
    assert list(find(tmp_path, MIXED, generated=False)) == []
    assert len(sheet.read_sheet(tmp_path / "0.csv").entries) == 5


def test_of_other_data_nobody_has_to_review_anything(tmp_path: Path) -> None:
    found = find(tmp_path, generated=False)
    assert list(found) == []
    assert [h.evidence for h in found.hints] == ["no row was reviewed by a person"]


def test_the_empty_dataset(tmp_path: Path) -> None:
    assert list(find(tmp_path, Dataset.of([]))) == []


def test_a_review_of_other_bytes_does_not_count(tmp_path: Path) -> None:
    filled(tmp_path)
    edited = Dataset.of([row(n) for n in range(199)] + [row(500)], "train")
    found = find(tmp_path, edited)
    assert [f.kind for f in found] == ["too few"]
    name = f"{tmp_path.name}/0.csv"
    assert [h.evidence for h in found.hints] == [f"{name} is of other bytes: it does not count"]


def test_a_lack_that_was_accepted_is_another_lack_for_other_bytes(tmp_path: Path) -> None:
    edited = Dataset.of([row(n) for n in range(199)] + [row(500)], "train")
    (before,), (after,) = find(tmp_path), find(tmp_path, edited)
    assert before.evidence == after.evidence
    assert before.fingerprint != after.fingerprint


def picked(table: list[dict[str, str]]) -> None:
    table[3] |= {"line": "1", "id": "r000000000000"}


FAULTS: dict[str, tuple[Change, str]] = {
    "picked": (picked, "0.csv does not hold the rows that seed 0 draws; draw again"),
    "left out": (lambda t: t.pop(0), "0.csv does not hold the rows that seed 0 draws"),
    "twice": (lambda t: t.append(t[0]), "0.csv does not hold the rows that seed 0 draws"),
    "seed": (lambda t: [r.update(seed="7") for r in t], "the rows that seed 7 draws"),
    "verdict": (lambda t: t[4].update(verdict="fine"), "row 6: verdict 'fine'; ok, wrong or"),
    "reviewer": (lambda t: t[5].update(reviewer=" "), "0.csv, row 7: no reviewer; write who"),
    "no seed": (lambda t: [r.update(seed="x") for r in t], "seed 'x' is not a whole number"),
    "mixed": (lambda t: t[2].update(digest="y"), "row 4: digest 'y' is not that of row 2"),
}


@pytest.mark.parametrize(("change", "told"), FAULTS.values(), ids=FAULTS)
def test_only_the_drawn_sample_counts_with_a_verdict_and_a_name(
    tmp_path: Path, change: Change, told: str
) -> None:
    filled(tmp_path, change=change)
    few, fault = sorted(find(tmp_path), key=lambda f: f.kind == "sheet")
    assert few.evidence == "0 of 200 generated rows reviewed, 10 % needed: put the sheet right"
    assert told in fault.evidence
    assert str(tmp_path) not in fault.evidence


def test_half_a_review_does_not_count_yet(tmp_path: Path) -> None:
    filled(tmp_path, change=lambda t: [r.update(verdict="") for r in t[8:]])
    found = find(tmp_path)
    assert [f.kind for f in found] == ["too few"]
    assert "12 of 20 rows have no verdict yet" in found.hints[0].evidence
    sheet = found.hints[0].evidence.partition(":")[0]
    assert found[0].evidence.endswith(f"needed: finish {sheet}")  # not: draw again


def test_a_spreadsheet_may_sort_it_and_leave_the_last_ones_out(tmp_path: Path) -> None:
    """The first rows of the drawing are a random sample too."""

    def change(table: list[dict[str, str]]) -> None:
        del table[30:]
        table.sort(key=lambda r: r["prompt"])

    filled(tmp_path, share=0.2, change=change)
    assert list(find(tmp_path)) == []
    assert "30 of 200 rows (15 %)" in find(tmp_path).hints[0].evidence


def test_one_of_two_reviewers_finds_it_wrong(tmp_path: Path) -> None:
    filled(tmp_path, share=1.0)
    filled(tmp_path, share=1.0, seed=1, wrong=11)
    assert [f.kind for f in find(tmp_path)] == ["errors"]
