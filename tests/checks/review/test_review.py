"""The sample, the sheet and the command of a review."""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate import Dataset
from tunegate.cli.main import Command
from tunegate_checks.review import draw, sheet, status
from tunegate_checks.review.sheet import draw_order, from_cell, row_id, sample_size, to_cell

Out = pytest.CaptureFixture[str]


def lines(n: int, prompt: str = "question") -> str:
    def one(i: int) -> str:
        user = {"role": "user", "content": f"{prompt} {i}"}
        return json.dumps({"messages": [user, {"role": "assistant", "content": "yes"}]}) + "\n"

    return "".join(map(one, range(n)))


def tunegate(*args: str) -> None:
    command: Command = {"sample": draw, "status": status}[args[0]]
    parser = argparse.ArgumentParser()
    if hasattr(command, "arguments"):
        command.arguments(parser)
    command.run(parser.parse_args(args[1:]))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tunegate.toml").write_text('[data]\ntrain = "train.jsonl"\n')
    (tmp_path / "train.jsonl").write_text(lines(40))
    monkeypatch.chdir(tmp_path)
    return tmp_path


DATA = Dataset.parse(lines(10).encode())


def test_the_order_is_the_digests_and_the_seeds() -> None:
    """The same on every machine, for ever: sheets that were filled in depend on it."""
    assert draw_order(DATA, range(10), 0) == [7, 5, 4, 3, 2, 1, 6, 8, 9, 0]
    assert draw_order(DATA, range(10), 1) != draw_order(DATA, range(10), 0)
    other = Dataset.parse(lines(11).encode())
    assert draw_order(other, range(10), 0) != draw_order(DATA, range(10), 0)


def test_each_row_is_drawn_as_often_as_the_others() -> None:
    firsts = Counter(r for seed in range(2_000) for r in draw_order(DATA, range(10), seed)[:2])
    assert set(firsts) == set(range(10))
    # 400 of each are expected; chi-squared with 9 degrees of freedom is over 33.7 once in 10,000.
    assert sum((n - 400) ** 2 / 400 for n in firsts.values()) < 33.7


@given(st.integers(1, 100_000), st.floats(0.001, 1))
def test_a_share_is_never_rounded_down(n: int, share: float) -> None:
    assert sample_size(n, share) >= n * share - 1e-6
    assert sample_size(n, share) < n * share + 1


@given(st.text())
def test_a_guarded_text_is_read_back_and_begins_with_nothing_that_runs(text: str) -> None:
    assert from_cell(to_cell(text)) == text
    assert to_cell(text)[:1] not in {*"=+-@\t\r\n＝＋－＠|%0123456789"}


CELLS = ["=1+1", "+1", "-1", "@SUM(A1)", "'quoted'", "007", "\t=1", 'a,b;c\n"d"', "São Paulo", ""]


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_sheet_round_trips(tmp_path: Path, separator: str) -> None:
    told = [[("user", text), ("assistant", text)] for text in CELLS]
    rows = [{"messages": [{"role": r, "content": c} for r, c in one]} for one in told]
    data = Dataset.of(rows)
    sheet.write_sheet(tmp_path / "a.csv", data, data, 3, separator)
    raw = (tmp_path / "a.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8-sig") as file:
        table = list(csv.DictReader(file, delimiter=separator))
    assert [from_cell(r["prompt"]) for r in table] == [e.prompt for e in data]
    read = sheet.read_sheet(tmp_path / "a.csv")
    assert (read.digest, read.seed, read.filled_count) == (data.digest, 3, 0)
    drawn = [(str(e.line), row_id(e)) for e in data]
    assert [(entry.line, entry.id) for entry in read.entries] == drawn


def test_a_text_longer_than_a_cell_says_that_it_is_cut() -> None:
    assert to_cell("x" * 40_000).endswith("(cut: see the line of the file)")
    assert len(to_cell("x" * 40_000)) < 32_767


def test_what_is_no_sheet_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for data, told in [
        (b"a,b\n1,2\n", "has no column 'digest'"),
        ("digest,seed,line,id,verdict,reviewer\nJoão".encode("cp1252"), "save it as “CSV UTF-8”"),
        (b"digest,seed,line,id,verdict,reviewer\n", "has no rows"),
        (b"", "has no column"),
    ]:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=told):
            sheet.read_sheet(path)


def test_the_same_command_draws_the_same_sheet(project: Path, capsys: Out) -> None:
    tunegate("sample", "train.jsonl")
    (path,) = (project / "reviews").iterdir()
    told = capsys.readouterr().out
    assert told.startswith(f"wrote reviews/{path.name}: 4 of 40 rows\n")
    before = path.read_bytes()
    tunegate("sample", "train.jsonl")
    assert path.read_bytes() == before
    tunegate("sample", "train.jsonl", "--seed", "1", "--share", "0.5", "-o", "b.csv")
    assert len(sheet.read_sheet(project / "b.csv").entries) == 20


def test_a_sheet_that_is_being_filled_in_is_not_replaced(project: Path) -> None:
    tunegate("sample", "train.jsonl", "-o", "a.csv")
    path = project / "a.csv"
    path.write_text(path.read_text("utf-8").replace(",,\n", ",,looks odd\n", 1), "utf-8")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"a\.csv is filled in \(1 rows\): it stays; -o names"):
        tunegate("sample", "train.jsonl", "-o", "a.csv")
    assert path.read_bytes() == before


def test_the_status(project: Path, capsys: Out) -> None:
    tunegate("status")
    assert capsys.readouterr().out == "train       no row was reviewed by a person\n"
    tunegate("sample", "train.jsonl", "-o", "reviews/a.csv")
    capsys.readouterr()
    tunegate("status")
    assert "reviews/a.csv: 4 of 4 rows have no verdict yet" in capsys.readouterr().out
    path = project / "reviews" / "a.csv"
    text = path.read_text("utf-8-sig").replace(",,,\n", ",ok,Ana,\n", 3)
    path.write_text(text.replace(",,,\n", ",wrong,Ana,should be no\n"))
    tunegate("status")
    told = capsys.readouterr().out
    assert "train       4 of 40 rows (10 %) reviewed by Ana: 25 % wrong (95 %" in told
    assert "is wrong: should be no" in told
    assert max(map(len, told.splitlines())) <= 80


@pytest.mark.parametrize("share", ["0", "1.5", "-1"])
def test_a_share_that_is_none(project: Path, share: str) -> None:
    with pytest.raises(ValueError, match=r"a share above 0, and 1 at most, is valid"):
        tunegate("sample", "train.jsonl", "--share", share)
