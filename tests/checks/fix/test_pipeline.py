"""The laws of a fix: nothing vanishes unsaid, twice is once, what is clean stays byte for byte."""

import csv
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from dirty import CPF, EMAIL, TEAMS, prompts, read, row, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunegate.config.schema import Config
from tunegate.data.dataset import Dataset
from tunegate_checks.fix.changes import FileChanges, summary, summary_lines
from tunegate_checks.fix.pipeline import fix_files

CLEAN = prompts(6)
DIRTY = [
    *(row(p, TEAMS[i % 3]) for i, p in enumerate(CLEAN)),
    *(row(CLEAN[0].upper()), row(CLEAN[1], "Delivery "), row(CLEAN[2], "billing")),
    *(row(f"Meu CPF é {CPF}"), row(f"mail {EMAIL}", meta={"phone": "11 98765-4321"})),
    *(row("a\0b"), row(""), row("x", '{"cpf": 52998224725}')),
    row(CLEAN[3], system="Name the  team."),
    '{"cut', "[1]", "", " \r", json.dumps(row(CLEAN[4])) + " \r",
    json.dumps({"instruction": f"Tel {CPF}", "output": "returns"}),
    json.dumps({"messages": [{"role": "gpt", "content": "é\u2028"}]}, ensure_ascii=False),
]  # fmt: skip
files = st.lists(st.sampled_from(range(len(DIRTY))), min_size=1, max_size=12).map(
    lambda chosen: [DIRTY[k] for k in [*chosen, 0]]
)


def table(done: list[FileChanges]) -> list[dict[str, str]]:
    (work,) = done
    with open(work.job.files()["diff"], encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(files, files)
def test_the_laws(rows: list[Any], train: list[Any]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        _hold(folder, rows, train)
    finally:
        shutil.rmtree(folder)


def _hold(folder: Path, rows: list[Any], train: list[Any]) -> None:
    source = write(folder / "test.jsonl", rows)
    before = source.read_bytes()
    against = fix_files(write(folder / "train.jsonl", train), folder / "clean")[0].job.out
    done = fix_files(source, folder / "clean", [against])
    (work,) = done
    job = work.job
    kept, changes = read(job.out), table(done)

    # Rows in = rows out + dropped + set aside, and the diff says of each why.
    gone = [c for c in changes if c["what"] in ("dropped", "set aside")]
    assert work.total == len(kept) + len(gone) == sum(1 for r in rows if r not in ("", " \r"))
    assert len(work.rejected) == sum(c["what"] == "set aside" for c in changes)
    assert all(c["why"] for c in changes)
    assert source.read_bytes() == before

    # What the diff does not name is there byte for byte, in its order.
    lines, result = before.split(b"\n"), job.out.read_bytes().split(b"\n")[:-1]
    named = {int(c["line_in"]) for c in changes if c["line_in"] and c["step"] != "left"}
    same = [line.strip() for n, line in enumerate(lines, 1) if n not in named and line.strip()]
    touched = {int(c["line_out"]) for c in changes if c["line_out"] and c["step"] != "left"}
    assert same == [line for n, line in enumerate(result, 1) if n not in touched]

    # Nothing that fix claims is still found, and the same again changes nothing.
    assert set(work.finding_counts.values()) <= {0}
    if kept:
        again = fix_files(job.out, folder / "again", [against])
        assert again[0].job.out.read_bytes() == job.out.read_bytes()
        assert [c for c in table(again) if c["step"] != "left"] == []


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    source = write(tmp_path / "train.jsonl", DIRTY)
    for name in "ab":
        fix_files(source, tmp_path / name)
    for file in ("train.jsonl", "train.fix.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_changed_rows_keep_the_order_of_their_keys(tmp_path: Path) -> None:
    source = write(tmp_path / "train.jsonl", [{"id": 1, **row(f"é {EMAIL}"), "a": 2}])
    done = fix_files(source, tmp_path / "out.jsonl")
    assert done[0].job.out.read_text("utf-8") == (
        '{"id":1,"messages":[{"role":"system","content":"Name the team."},'
        '{"role":"user","content":"é [EMAIL_1]"},'
        '{"role":"assistant","content":"billing"}],"a":2}\n'
    )


def test_no_personal_data_in_the_diff_even_where_redaction_is_off(tmp_path: Path) -> None:
    rows = [row(f"{CLEAN[0]} {EMAIL} cpf {CPF}"), row(f"{CLEAN[0]} {EMAIL} cpf {CPF}!", EMAIL)]
    rows += [rows[0], row(CLEAN[1], "x", audio=1), {"messages": [{"role": EMAIL, "content": CPF}]}]
    for steps in (["duplicates", "format"], ["format", "redact", "labels", "duplicates"]):
        done = fix_files(
            write(tmp_path / "train.jsonl", rows), tmp_path / "out", steps=steps, force=True
        )
        text = done[0].job.files()["diff"].read_text("utf-8") + "\n".join(
            summary_lines(done, Config())
        )
        assert not any(secret in text for secret in (EMAIL, CPF, CPF[:7], "correio"))
        assert "dropped" in text


def test_a_leak_hides_behind_no_redaction(tmp_path: Path) -> None:
    """The training file still has the address that gives way to a placeholder in the test file."""
    told = "Write to {} now"
    train = write(
        tmp_path / "train.jsonl", [row(told.format("maria.aparecida.souza@correio.com.br"))]
    )
    rows = [row(told.format("maria.aparecida.souza@correio.com.br")), row(CLEAN[0])]
    done = fix_files(write(tmp_path / "test.jsonl", rows), tmp_path / "out", [train])
    assert read(done[0].job.out) == [row(CLEAN[0])]


def test_contradictions_are_left_and_told(tmp_path: Path) -> None:
    rows = [row(CLEAN[0], "billing"), row(CLEAN[0], "returns"), row(CLEAN[0], "billing")]
    done = fix_files(write(tmp_path / "train.jsonl", rows), tmp_path / "out")
    assert len(read(done[0].job.out)) == 2
    assert done[0].unresolved
    (told,) = (c for c in table(done) if c["step"] == "left")
    assert (told["line_in"], told["line_out"]) == ("2", "2")
    assert "contradiction: “returns”, but “billing” on line 1" in told["why"]


def test_a_row_that_contradicts_another_is_no_copy_of_a_third(tmp_path: Path) -> None:
    """Line 2 is right and nearly repeats line 1: without it, line 3 would be left as the truth."""
    asked = "Good morning, where is the parcel with my new kettle, it is late"
    rows = [row(f"{asked} again.", "delivery"), row(f"{asked}.", "delivery")]
    rows += [row(f"{asked}.", "account"), row(f"{asked}.", "delivery")]
    done = fix_files(write(tmp_path / "train.jsonl", rows), tmp_path / "out")
    assert read(done[0].job.out) == rows[:3]
    left = {c["line_in"]: c["why"] for c in table(done) if c["step"] == "left"}
    assert [*left] == ["2", "3"]
    assert "contradiction" in left["3"]


def test_what_concerns_all_rows_is_no_fault_of_the_first(tmp_path: Path) -> None:
    rows = [{"prompt": p, "completion": f"{p} Yes.", "label": i > 1} for i, p in enumerate(CLEAN)]
    done = fix_files(write(tmp_path / "train.jsonl", rows), tmp_path / "out")
    assert len(read(done[0].job.out)) == len(rows)
    assert [description.partition(":")[0] for description, _ in done[0].unresolved] == ["meaning"]
    assert not done[0].still_found


def test_one_round_is_not_always_enough(tmp_path: Path) -> None:
    """2 `parcels` are no slip of 20 `parcel`, until copies of their rows are dropped."""
    asked = prompts(21)
    rows = [row(p, "parcel") for p in asked[:20]] + [row(asked[20], "parcels")] * 2
    done = fix_files(
        write(tmp_path / "t.jsonl", rows), tmp_path / "o", steps=["labels", "duplicates"]
    )
    assert {e.reply for e in Dataset.read(done[0].job.out)} == {"parcel"}
    assert done[0].finding_counts == {"labels": 0, "duplicates": 0}


def test_every_other_check_looks_at_the_result(tmp_path: Path) -> None:
    """A step alone leaves what others find, and says it; a project's limits count too."""
    rows = [row(p, TEAMS[i % 2]) for i, p in enumerate(prompts(30, seed=1))]
    rows += [row(rows[0]["messages"][1]["content"], "returns"), row(f"{CLEAN[0]} {EMAIL}")]
    source = write(tmp_path / "train.jsonl", rows)
    (alone,) = fix_files(source, tmp_path / "a.jsonl", steps=["format"])
    told = "\n".join(summary_lines([alone], Config()))
    assert alone.finding_counts == {"format": 0}
    assert "same question, another answer, at line 31" in told
    assert alone.still_found == ["pii: 1; the step `redact` was left out"]
    config = Config(task="classification")
    (whole,) = fix_files(source, tmp_path / "b.jsonl", config=config, root=tmp_path)
    assert any(said.startswith("too few (size): ") for said in whole.still_found)
    assert "the data suite still finds" in "\n".join(summary_lines([whole], Config()))


IMAGES = [{**row("What animal is it?", a), "images": [f"{n}.png"]} for n, a in enumerate("cd" * 9)]
TOOLS = [
    {**row("Rome?", "x"), "tools": [{"type": "function", "function": {"name": f"tool{n}"}}]}
    for n in range(20)
]
DOCUMENTS = [row("Is it good?", "no", system=f"Review: {p}") for p in prompts(30)]


@pytest.mark.parametrize("rows", [IMAGES, TOOLS, DOCUMENTS], ids=["images", "tools", "documents"])
def test_rows_that_are_given_something_else_are_no_copies(tmp_path: Path, rows: list[Any]) -> None:
    (done,) = fix_files(write(tmp_path / "t.jsonl", rows), tmp_path / "o.jsonl")
    assert read(done.job.out) == rows


@pytest.mark.parametrize("step", ["format", "redact", "labels", "duplicates", "leaks"])
def test_a_step_alone_does_what_it_says_and_no_more(tmp_path: Path, step: str) -> None:
    train = write(tmp_path / "train.jsonl", [row(CLEAN[5])])
    rows = [row(p, TEAMS[i % 2]) for i, p in enumerate(prompts(30, seed=1))]
    rows += [row(CLEAN[0], "Billing"), row(CLEAN[1]), row(CLEAN[1]), row(EMAIL), row(CLEAN[5])]
    rows += [row(CLEAN[2], [{"type": "text", "text": "billing\0"}])]
    done = fix_files(write(tmp_path / "test.jsonl", rows), tmp_path / "out", [train], [step])
    assert {c["step"] for c in table(done)} - {"left"} == {step}
    assert set(done[0].finding_counts.values()) == {0}


def test_rows_set_aside_are_named_by_line_and_reason(tmp_path: Path) -> None:
    lines = ['{"instruction": "é",  "output": ""}', '{"messages":[{"role":"User","content":"a"}]}']
    done = fix_files(write(tmp_path / "t.jsonl", [*lines, row("x")]), tmp_path / "out")
    told = [(c["line_in"], c["what"]) for c in table(done) if c["what"] == "set aside"]
    assert told == [("1", "set aside"), ("2", "set aside")]
    assert [row["line"] for row in summary(done[0])["set_aside"]] == [1, 2]
    assert read(done[0].job.out) == [row("x")]


def test_elements_of_an_array_are_set_aside_one_by_one(tmp_path: Path) -> None:
    bad = [{"instruction": "Say it", "output": 5}, {"foo": 1}]
    path = tmp_path / "all.json"
    path.write_text(json.dumps([row(CLEAN[0]), *bad], indent=2))
    done = fix_files(path, tmp_path / "out")
    told = summary(done[0])["set_aside"]
    assert len(told) == len(bad)
    lines = path.read_text().splitlines()
    assert all("{" in lines[row["line"] - 1] for row in told)


def test_a_test_set_that_was_trained_on_leaves_nothing_and_training_keeps_all(
    tmp_path: Path,
) -> None:
    rows = [row(p) for p in CLEAN]
    train = write(tmp_path / "train.jsonl", rows)
    done = fix_files(write(tmp_path / "test.jsonl", rows), tmp_path / "out", [train])
    assert done[0].job.out.read_bytes() == b""
    assert [description for description, _ in done[0].unresolved] == ["no row is left"]
    assert read(train) == rows


def test_the_splits_of_one_file_are_fixed_each(tmp_path: Path) -> None:
    asked = [{"text": p, "label": f"class {i}"} for i, p in enumerate(prompts(8, seed=2))]
    splits = {"train": asked[:5], "val": asked[5:7], "test": [asked[7], asked[0]]}
    (tmp_path / "all.json").write_text(json.dumps(splits), "utf-8")
    data = dict.fromkeys(("train", "validation", "test"), "all.json")
    config = Config.model_validate({"data": data})
    done = fix_files(None, tmp_path / "o", config=config, root=tmp_path)
    assert [(w.job.out.name, len(w.rows)) for w in done] == [
        ("train.jsonl", 5), ("validation.jsonl", 2), ("test.jsonl", 1)
    ]  # fmt: skip
    (small,) = [said for said in done[0].still_found if said.startswith("too few (size): ")]
    assert small.count("more needed") == 3
    assert small.endswith("; and 2 more")
