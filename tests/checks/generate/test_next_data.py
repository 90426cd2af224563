"""From failures to the next data set: drawn from logs, labelled, imported, and the data suite."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import forking
import pytest
from published import check

from tunegate.cli.main import main
from tunegate.data.dataset import Dataset
from tunegate.storage.state_dir import StateDir
from tunegate_checks.review.serve import ReviewServer
from tunegate_checks.review.sheet import read_sheet, save_sheet

ROOT = Path(__file__).parents[3]
TRIAGE = ROOT / "examples" / "triage" / "data"
Out = pytest.CaptureFixture[str]
PRIVATE = "my parcel for ana.souza@correio.example.org has not come, phone (11) 98234-7715"


def lines_of(name: str, start: int, end: int) -> list[str]:
    return (TRIAGE / f"{name}.jsonl").read_text("utf-8").splitlines()[start:end]


def chat(prompt: str, reply: str | None) -> str:
    """Return a row with the system prompt of triage, without an answer for None."""
    system = json.loads(lines_of("train", 0, 1)[0])["messages"][0]
    told = [system, {"role": "user", "content": prompt}]
    told += [] if reply is None else [{"role": "assistant", "content": reply}]
    return json.dumps({"messages": told})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a part of triage's rows, and a log of others, of known and of unfit ones."""
    monkeypatch.chdir(tmp_path)
    for name, end in (("train", 600), ("validation", 144), ("test", 100)):
        rows = lines_of(name, 0, end)
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    data = "".join(f'{name} = "{name}.jsonl"\n' for name in ("train", "validation", "test"))
    config = f'task = "classification"\n[data]\n{data}[limits]\naccuracy = 0.9\n'
    (tmp_path / "tunegate.toml").write_text(config)
    logged = [*lines_of("train", 1500, 1700), *lines_of("train", 0, 5), *lines_of("test", 0, 5)]
    logged += [chat(PRIVATE, "delivery"), chat(PRIVATE.replace("phone", "tel."), "delivery")]
    logged += [chat("What about this?", None), "no JSON"]
    (tmp_path / "log.jsonl").write_text("\n".join(logged) + "\n", "utf-8")
    return tmp_path


def next_data(capsys: Out, *args: str, code: int = 0) -> str:
    assert main(["data", "next", *args]) == code
    out, err = capsys.readouterr()
    if "--json" in args and not code:
        check("data-next", json.loads(out))
    return err if code else out


def rows_of(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def label(sheet: Path, say: Callable[[int, str], tuple[str, str]], who: str = "ana") -> None:
    """Fill a sheet in: `say` has verdict and correction by number and reply."""
    read = read_sheet(sheet)
    said = [say(n, e.reply) for n, e in enumerate(read.entries)]
    entries = (
        replace(e, verdict=verdict, correction=correction, reviewer=who if verdict else "")
        for e, (verdict, correction) in zip(read.entries, said, strict=True)
    )
    save_sheet(replace(read, entries=tuple(entries)))


def ask_wrong(root: Path) -> None:
    """Judge answers of which those to questions in Portuguese are wrong, by a suite of one test."""
    suite = root / "suites" / "model"
    suite.mkdir(parents=True)
    (suite / "test_m.py").write_text("def test_it(predictions): assert len(predictions)\n")
    rows = [json.loads(line) for line in lines_of("test", 0, 480)]
    replies = ((row["messages"][-1]["content"], row["language"]) for row in rows)
    told = [{"text": "?" if language == "pt" else reply} for reply, language in replies]
    (root / "answers.jsonl").write_text("".join(f"{json.dumps(a)}\n" for a in told))
    asked = ["-m", "pytest", "-q", "suites/model", "--model", "file:answers.jsonl"]
    code, out = forking.run_python(asked, root, {}, False)
    assert code == 0, out


def test_rows_worth_labelling_are_drawn_redacted_and_none_that_a_split_has(
    folder: Path, capsys: Out
) -> None:
    told = json.loads(next_data(capsys, "log.jsonl", "-o", "next.csv", "--rows", "30", "--json"))
    assert told["paths"] == ["next.csv", "next.jsonl"]
    assert told["rows"] == {"label in doubt": 15, "unlike training": 15}
    assert told["left_out"] == {
        "cannot be read": 1, "have no prompt, no reply, or cannot be redacted": 1,
        "stand in the splits": 10, "are like another": 1,
    }  # fmt: skip
    rows = rows_of("next.jsonl")
    known = {json.dumps(row["messages"]) for name in ("train", "test") for row in
             rows_of(f"{name}.jsonl")}  # fmt: skip
    assert len(rows) == 30
    assert not known & {json.dumps(row["messages"]) for row in rows}
    assert {row["next"]["log"] for row in rows} == {"log.jsonl"}
    logged = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()[:-1]]
    for row in rows:
        if "[EMAIL" not in (said := json.dumps(row)):
            assert logged[row["next"]["line"] - 1]["messages"] == row["messages"]
        assert "ana.souza" not in said
    assert "ana.souza" not in Path("next.csv").read_text("utf-8-sig")
    assert Path("next.csv").stat().st_mode & 0o777 == 0o600
    first = Path("next.jsonl").read_bytes()
    next_data(capsys, "log.jsonl", "-o", "next.csv", "--rows", "30")
    assert Path("next.jsonl").read_bytes() == first


def test_all_of_the_log_where_fewer_rows_are_new(folder: Path, capsys: Out) -> None:
    Path("few.jsonl").write_text(f"{chat(PRIVATE, 'delivery')}\n")
    out = next_data(capsys, "few.jsonl", "-o", "next.csv")
    assert "wrote     next.csv, next.jsonl\nrows      1 label in doubt\n" in out
    (row,) = rows_of("next.jsonl")
    assert "[EMAIL_1]" in row["messages"][1]["content"]


def test_from_failures_to_splits_that_pass_the_data_suite(folder: Path, capsys: Out) -> None:
    for name, end in (("train", 1500), ("validation", 360), ("test", 480)):
        Path(f"{name}.jsonl").write_text("\n".join(lines_of(name, 0, end)), "utf-8")
    shutil.copytree(ROOT / "suites" / "data", "suites/data")
    ask_wrong(folder)
    assert main(["failures"]) == 0
    assert "answers were wrong" in capsys.readouterr().out
    out = next_data(capsys, "log.jsonl", "-o", "reviews/next.csv", "--rows", "45")
    assert re.search(r"rows +1\d like a failure\n", out)  # some came first by another ranking
    like = [r for r in rows_of("reviews/next.jsonl") if r["next"]["why"] == "like a failure"]
    logged = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()[:200]]
    languages = Counter(logged[row["next"]["line"] - 1]["language"] for row in like)
    assert languages == {"pt": len(like)}
    with ReviewServer(Path("reviews/next.csv")) as server:  # the review room can show it
        assert like[0]["messages"][0]["content"] in server.page({"who": "ana"}, "x")
    sheet = Path("reviews/next.csv")
    said = {0: ("wrong", "returns"), 1: ("wrong", ""), 2: ("unsure", ""), 3: ("", "")}
    label(sheet, lambda n, _: said.get(n, ("ok", "")))
    before = {name: Path(f"{name}.jsonl").read_bytes() for name in ("train", "test")}
    told = json.loads(next_data(capsys, "--import", str(sheet), "-o", "data-2", "--json"))
    added = told["rows"]
    assert sum(added.values()) == 42
    assert told["left_out"] == {"undecided, not decided alike, or wrong without a correction": 3}
    assert added["to test"] == pytest.approx(42 * 480 / 1980, abs=2)
    assert before == {name: Path(f"{name}.jsonl").read_bytes() for name in before}
    new = [row for row in rows_of("data-2/train.jsonl") + rows_of("data-2/test.jsonl")
           if "next" in row]  # fmt: skip
    first = rows_of("reviews/next.jsonl")[0]
    (corrected,) = (row for row in new if row["messages"][:-1] == first["messages"][:-1])
    assert corrected["messages"][-1] == {"role": "assistant", "content": "returns"}
    lineage = corrected["next"]
    assert lineage == first["next"] | {"row": read_sheet(sheet).entries[0].id, "reviewer": "ana"}
    suite = [f"--{s}-data=data-2/{s}.jsonl" for s in ("train", "validation", "test")]
    code, out = forking.run_python(["-m", "pytest", "-q", "suites/data", *suite], folder, {}, False)
    assert code == 0, out


def test_rows_of_one_source_stay_on_one_side(folder: Path, capsys: Out) -> None:
    """A row that is like a test row, since the test set changed, goes to test."""
    rows = [chat(f"{'xyzzy' * 3} number {'abcdefgh'[n] * 9} of the parcel", "delivery")
            for n in range(8)]  # fmt: skip
    Path("few.jsonl").write_text("\n".join(rows))
    next_data(capsys, "few.jsonl", "-o", "next.csv")
    label(Path("next.csv"), lambda n, _: ("ok", ""))
    drawn = rows_of("next.jsonl")
    with Path("test.jsonl").open("a") as test, Path("train.jsonl").open("a") as train:
        test.write(chat(drawn[0]["messages"][1]["content"] + "!", "delivery") + "\n")
        train.write(chat(drawn[1]["messages"][1]["content"] + "!", "delivery") + "\n")
    next_data(capsys, "--import", "next.csv", "-o", "new")
    sides = {
        row["messages"][1]["content"]: name
        for name in ("train", "test") for row in rows_of(f"new/{name}.jsonl") if "next" in row
    }  # fmt: skip
    assert sides[drawn[0]["messages"][1]["content"]] == "test"
    assert sides[drawn[1]["messages"][1]["content"]] == "train"


def test_a_row_of_a_customer_of_the_test_set_goes_to_test(folder: Path, capsys: Out) -> None:
    config = Path("tunegate.toml").read_text()
    Path("tunegate.toml").write_text(config.replace("[data]", '[data]\ngroup_by = "customer"'))
    for name in ("train", "validation", "test"):
        rows = [row | {"customer": f"{name}-{n}"} for n, row in enumerate(rows_of(f"{name}.jsonl"))]
        Path(f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    logged = [json.loads(row) | {"customer": f"test-{n}", "note": "none"}
              for n, row in enumerate(lines_of("train", 1500, 1520))]  # fmt: skip
    logged[0]["customer"] = "ana.souza@correio.example.org"  # redacted, it is nobody's
    Path("few.jsonl").write_text("\n".join(map(json.dumps, logged)))
    told = json.loads(next_data(capsys, "few.jsonl", "-o", "next.csv", "--json"))
    assert told["left_out"] == {"have no prompt, no reply, or cannot be redacted": 1}
    assert not any("note" in row for row in rows_of("next.jsonl"))
    label(Path("next.csv"), lambda n, _: ("ok", ""))
    told = json.loads(next_data(capsys, "--import", "next.csv", "-o", "new", "--json"))
    assert told["rows"] == {"to train": 0, "to validation": 0, "to test": 19}


def test_a_sheet_counts_once(folder: Path, capsys: Out) -> None:
    next_data(capsys, "log.jsonl", "-o", "next.csv", "--rows", "4")
    label(Path("next.csv"), lambda n, _: ("ok", ""))
    next_data(capsys, "--import", "next.csv", "-o", "new")
    for name in ("train", "test"):
        shutil.copy(f"new/{name}.jsonl", f"{name}.jsonl")
    error = next_data(capsys, "--import", "next.csv", "-o", "again", code=2)
    assert "no labelled row is new; left out: {'stand in the splits': 4}" in error


def test_two_reviewers_who_differ_leave_a_row_out(folder: Path, capsys: Out) -> None:
    next_data(capsys, "log.jsonl", "-o", "next.csv", "--rows", "6")
    sheet, other = Path("next.csv"), Path("next-rui.csv")
    other.write_bytes(sheet.read_bytes())
    label(sheet, lambda n, _: ("ok", "") if n else ("wrong", "other"))
    label(other, lambda n, _: ("ok", "") if n != 3 else ("wrong", "other"), who="rui")
    sheets = str(sheet), str(other), str(other)
    told = json.loads(next_data(capsys, "--import", *sheets, "-o", "d", "--json"))
    rows = [r for r in rows_of("d/train.jsonl") + rows_of("d/test.jsonl") if "next" in r]
    assert sum(told["rows"].values()) == len(rows) == 6 - sum(told["left_out"].values())
    assert {row["next"]["reviewer"] for row in rows} == {"ana, rui"}


def spoil_nothing(sheet: Path) -> None:
    label(sheet, lambda n, _: ("ok", ""))


def spoil_rows(sheet: Path) -> None:
    spoil_nothing(sheet)
    sheet.with_suffix(".jsonl").write_text("{}")


def spoil_verdict(sheet: Path) -> None:
    label(sheet, lambda n, _: ("fine", ""))


def spoil_reviewer(sheet: Path) -> None:
    label(sheet, lambda n, _: ("ok", ""), who="")


@pytest.mark.parametrize(
    ("spoil", "out", "told"),
    [
        (lambda _: None, "new", "no labelled row is new; left out: {"),
        (spoil_nothing, ".", "is there already: name a new folder"),
        (spoil_rows, "new", "next.csv: its rows, next.jsonl, are gone or changed: draw again"),
        (spoil_verdict, "new", "next.csv, row 2: an id of next.jsonl, and ok, wrong, unsure are"),
        (spoil_reviewer, "new", "next.csv, row 2: a reviewer, and a whole reply, are needed"),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    folder: Path, capsys: Out, spoil: Callable[[Path], object], out: str, told: str
) -> None:
    next_data(capsys, "log.jsonl", "-o", "next.csv", "--rows", "3")
    spoil(Path("next.csv"))
    error = next_data(capsys, "--import", "next.csv", "-o", out, code=2)
    assert told in error
    assert len(error.splitlines()) == 1
    assert not Path("new").exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("log.jsonl", "-o", "next.jsonl"), "a .csv and 1 row or more are valid"),
        (("log.jsonl", "-o", "n.csv", "--rows", "0"), "a .csv and 1 row or more are valid"),
        (("nothing.jsonl", "-o", "n.csv"), "nothing.jsonl"),
        (("log.jsonl", "-o", "log.csv"), "its rows come into log.jsonl, which is other data"),
        (("log.jsonl", "-o", "train.csv"), "its rows come into train.jsonl, which is other data"),
        (
            ("train.jsonl", "-o", "n.csv"),
            "no row that is new; left out: {'stand in the splits': 600}",
        ),
        (("log.jsonl", "-o", "n.csv", "--run", "abc"), "abc"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    folder: Path, capsys: Out, args: Sequence[str], told: str
) -> None:
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    error = next_data(capsys, *args, code=2)
    assert told in error
    assert len(error.splitlines()) == 1
    assert {path: path.read_bytes() for path in folder.glob("*.*")} == before


def test_a_sheet_that_is_filled_in_stays(folder: Path, capsys: Out) -> None:
    next_data(capsys, "log.jsonl", "-o", "next.csv", "--rows", "3")
    spoil_nothing(Path("next.csv"))
    assert "is filled in" in next_data(capsys, "log.jsonl", "-o", "next.csv", code=2)


def test_a_text_task_has_no_labels_to_doubt(folder: Path, capsys: Out) -> None:
    """And without a config of a task, rows without repeated replies are texts."""
    rng = random.Random(0)
    words = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
    ]
    for name in ("train", "validation", "test"):
        texts = [" ".join(rng.sample(words, 6)) for _ in range(30)]
        rows = [chat(f"{text} {name} {n}", f"{text} {n}") for n, text in enumerate(texts)]
        Path(f"{name}.jsonl").write_text("\n".join(rows))
    told = json.loads(next_data(capsys, "log.jsonl", "-o", "next.csv", "--rows", "5", "--json"))
    assert told["rows"] == {"unlike training": 5}
    assert len(Dataset.read("next.jsonl")) == 5
    assert not StateDir(folder).runs.exists()
