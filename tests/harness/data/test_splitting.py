import json
import os
import random
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cli.main import main
from tunegate.data import SPLITS
from tunegate.data.comparison import comparison_texts
from tunegate.data.dataset import Dataset, Reading
from tunegate.data.splitting import (
    SplitError,
    SplitReport,
    chronological_group_split,
    similar_groups,
    split_file,
    strata_of,
    stratified_group_split,
)
from tunegate.errors import ConfigError
from tunegate.similarity import ngrams, search
from tunegate_checks.data import leakage

LABELS = ("delivery", "billing", "bug", "other")


def row(prompt: str, reply: str, **more: object) -> dict[str, Any]:
    turns = {"system": "Name the queue.", "user": prompt, "assistant": reply}
    return {"messages": [{"role": r, "content": c} for r, c in turns.items()], **more}


def rows(n: int = 400) -> list[dict[str, Any]]:
    """Rows with four labels, every tenth nearly a copy of the one before."""
    rng, made = random.Random(0), []
    for k in range(n):
        words = ["".join(rng.choices("abcdefghijklmnop", k=7)) for _ in range(6)]
        if k % 10 == 9:
            words = [*made[-1]["messages"][1]["content"].split()[:5], words[0][:4]]
        made.append(row(" ".join(words), LABELS[k % 4], language=("en", "pt")[k % 2]))
    return made


def written(path: Path, values: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(v) + "\n" for v in values))
    return path


def lines(folder: Path) -> dict[str, list[bytes]]:
    return {s: (folder / f"{s}.jsonl").read_bytes().splitlines() for s in SPLITS}


def test_every_row_goes_to_one_split_in_proportion(tmp_path: Path) -> None:
    source = written(tmp_path / "all.jsonl", rows())
    report = split_file(source, tmp_path / "out")
    made = lines(tmp_path / "out")
    assert sorted(chain.from_iterable(made.values())) == sorted(source.read_bytes().splitlines())
    assert report.rows == {s: len(made[s]) for s in SPLITS}
    assert report.rows["test"] == pytest.approx(60, abs=1)
    assert 0.15 <= report.rows["validation"] / (400 - report.rows["test"]) <= 0.20
    for counts in (report.labels["validation"], report.labels["test"]):
        assert all(abs(counts[label] - 15) <= 1 for label in LABELS)
    assert report.groups == 40
    assert any("billing" in line for line in report.lines())


def test_the_splits_pass_the_leakage_check(tmp_path: Path) -> None:
    split_file(written(tmp_path / "all.jsonl", rows()), tmp_path)
    train, validation, test = (Dataset.read(tmp_path / f"{s}.jsonl", s) for s in SPLITS)
    for seen, unseen in ((train, validation), (train, test), (validation, test)):
        assert list(leakage.find(seen, unseen)) == []
    # The same rows, dealt out with no eye to what is alike, would not:
    cut = Dataset.of(rows()[:209]), Dataset.of(rows()[209:])
    assert leakage.find(*cut)


def test_a_shared_passage_keeps_rows_together(tmp_path: Path) -> None:
    passage = "on monday the courier left it with a neighbour whom nobody in this street knows"
    many = [*rows(60), *(row(f"{f'{x}o ' * 40} {passage} {f'{x}u ' * 9}", "other") for x in "xyz")]
    split_file(written(tmp_path / "all.jsonl", many), tmp_path, validation=0.3, test=0.3)
    assert [sum(b"courier" in line for line in made) for made in lines(tmp_path).values()].count(3)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    source = written(tmp_path / "all.jsonl", rows(100))
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        split_file(source, tmp_path / name, seed=seed)
    a, b, c = (lines(tmp_path / name) for name in "abc")
    assert a == b
    assert set(a["test"]) != set(c["test"])


def test_rows_keep_their_bytes(tmp_path: Path) -> None:
    odd = b'{"messages":[{"role":"user","content":"caf\\u00e9 %d \xe2\x98\x83"}],  "x": 1.50e1}'
    source = tmp_path / "all.jsonl"
    source.write_bytes(b"\xef\xbb\xbf" + b"\r\n\n".join(odd % (k * 7919) for k in range(9)))
    split_file(source, tmp_path, by=None, similarity=1)
    assert sorted(chain.from_iterable(lines(tmp_path).values())) == sorted(
        odd % (k * 7919) for k in range(9)
    )


def test_an_array_becomes_lines(tmp_path: Path) -> None:
    source = tmp_path / "all.json"
    source.write_text(json.dumps(rows(40), indent=2))
    split_file(source, tmp_path)
    made = [json.loads(line) for line in list(chain.from_iterable(lines(tmp_path).values()))]
    assert sorted(map(repr, made)) == sorted(map(repr, rows(40)))


def test_by_another_field(tmp_path: Path) -> None:
    source = written(tmp_path / "all.jsonl", rows())
    assert set(split_file(source, tmp_path / "a", by="language").labels["test"]) == {"en", "pt"}
    assert split_file(source, tmp_path / "b", by=None).labels["test"] == Counter()
    with pytest.raises(SplitError, match=r"no row has a field 'lang'.*valid: label, language"):
        split_file(source, tmp_path / "c", by="lang")


def test_prose_is_split_without_labels(tmp_path: Path) -> None:
    prose = [
        row(f"{k * 7919} {'ab'[k % 2] * k}", f"A long answer, number {k}, in prose.")
        for k in range(40)
    ]
    assert split_file(written(tmp_path / "all.jsonl", prose), tmp_path).labels["train"] == Counter()


def test_unreadable_rows_refuse_the_whole_file(tmp_path: Path) -> None:
    source = written(tmp_path / "all.jsonl", rows(10))
    with source.open("a") as file:
        file.write('{"messages": 3}\n{"broken\n')
    with pytest.raises(
        SplitError, match=r"2 rows cannot be read(.|\n)*line 11: (.|\n)*line 12: (.|\n)*fix"
    ):
        split_file(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_existing_files_are_refused_unless_forced(tmp_path: Path) -> None:
    source = written(tmp_path / "all.jsonl", rows(40))
    (tmp_path / "test.jsonl").write_text("precious")
    with pytest.raises(SplitError, match=r"test.jsonl: already there; --force replaces"):
        split_file(source, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["all.jsonl", "test.jsonl"]
    split_file(source, tmp_path, force=True)
    assert (tmp_path / "test.jsonl").read_text() != "precious"


def test_the_source_is_never_replaced(tmp_path: Path) -> None:
    source = written(tmp_path / "train.jsonl", rows(40))
    with pytest.raises(SplitError, match="is the source"):
        split_file(source, tmp_path, force=True)
    assert len(source.read_bytes().splitlines()) == 40


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"validation": 0}, "validation is 0; a share between 0 and 1"),
        ({"test": 15}, "test is 15; a share between 0 and 1"),
        ({"validation": 0.5, "test": 0.5}, "leave nothing to train on"),
        ({"validation": float("nan")}, "a share between 0 and 1"),
    ],
)
def test_impossible_shares(tmp_path: Path, shares: dict[str, float], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        split_file(written(tmp_path / "all.jsonl", rows(10)), tmp_path / "out", **shares)  # type: ignore[arg-type]


def test_a_split_left_empty_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "all.jsonl", [row("the very same", "x")] * 30)
    with pytest.raises(SplitError, match="all 30 rows are alike"):
        split_file(source, tmp_path / "out")


sizes = st.lists(st.sampled_from([1, 1, 1, 1, 2, 3, 7]), min_size=1, max_size=120)


@given(sizes=sizes, classes=st.integers(1, 40), seed=st.integers(0, 9))
def test_shares_hold_in_all_and_by_label(sizes: list[int], classes: int, seed: int) -> None:
    """Off by no more than the largest group, in all; and by label where rows stand alone."""
    groups, n = [], 0
    for size in sizes:
        groups.append(list(range(n, n + size)))
        n += size
    labels = [str(k * k % classes) for k in range(n)]
    shares = {"train": 0.7, "validation": 0.15, "test": 0.15}
    places = stratified_group_split(labels, groups, shares, seed)
    assert sorted(chain.from_iterable(places.values())) == list(range(n))
    of = {i: split for split, chosen in places.items() for i in chosen}
    assert all(len({of[i] for i in group}) == 1 for group in groups)
    for split_, share in shares.items():
        assert abs(len(places[split_]) - n * share) <= max(sizes) + 1


def test_many_small_labels_do_not_tilt_the_shares() -> None:
    labels = [str(k // 3) for k in range(300)]
    shares = {"train": 0.7, "validation": 0.15, "test": 0.15}
    places = stratified_group_split(labels, [[k] for k in range(300)], shares, 0)
    assert {s: len(p) for s, p in places.items()} == {"train": 210, "validation": 45, "test": 45}


def test_groups_use_the_words_that_leakage_compares(tmp_path: Path) -> None:
    told = "Read the following message of a customer, and say which team should answer it: "
    many = [row(told + r["messages"][1]["content"], r["messages"][2]["content"]) for r in rows()]
    report = split_file(written(tmp_path / "all.jsonl", many), tmp_path)
    assert report.largest == 2
    texts = comparison_texts(Dataset.of(many))[0]
    assert len(search.connected_groups(texts, 0.85)) == report.groups


def test_rows_whose_prompts_list_the_same_tool_are_no_group() -> None:
    def tool(k: int) -> dict[str, Any]:
        told = f"Reads the table number {k} that its parameter names, cell by cell, as texts."
        return {"name": f"tool_{k}", "description": told * 3, "parameters": {}}

    def asks(k: int) -> dict[str, Any]:  # as ToolACE has them: tools of one pool
        system = f"Call what you need of {json.dumps([tool(k), tool(k + 1)])}, and no more."
        own = row(f"{k * 7919} of which {k**3} are lost, what is left?", f"call {k}")
        return {"messages": [{"role": "system", "content": system}, *own["messages"]]}

    asked = [asks(k) for k in range(40)]
    assert [len(group) for group in similar_groups(Dataset.of(asked), 0.85)] == [1] * 40
    assert not leakage.find(Dataset.of(asked[::2], "train"), Dataset.of(asked[1::2], "test"))


def test_white_space_tears_no_two_rows_apart() -> None:
    shown = {"type": "image_url", "image_url": {"url": "x.png"}}
    pictures = [{"role": "user", "content": [shown]}, {"role": "assistant", "content": "a cat"}]
    other = [pictures[0], {"role": "assistant", "content": "something else"}]
    told = [row("a b", "x"), row("A\n\n\n\nb", "y"), {"messages": pictures}, {"messages": other}]
    assert similar_groups(Dataset.of(told), 0.85) == [[0, 1], [2, 3]]


def words(rng: random.Random) -> str:
    return " ".join("".join(rng.choices("abcdefghijklmnop", k=7)) for _ in range(6))


def test_rows_of_a_group_and_turns_of_a_conversation_stay_in_one_split(tmp_path: Path) -> None:
    rng, made = random.Random(0), []
    for user in range(60):
        turns: list[dict[str, Any]] = []
        for _ in range(3):
            turns = [*turns, *row(words(rng), words(rng))["messages"][1:]]
            made.append({"messages": turns})
        for _ in range(3):
            messages = row(words(rng), "ok")["messages"][1:]
            made.append({"messages": messages, "user_id": user})
    source = written(tmp_path / "all.jsonl", made)
    split_file(source, tmp_path / "out", reading=Reading(group_by=("user_id",)))
    files = {s: Dataset.read(tmp_path / "out" / f"{s}.jsonl") for s in SPLITS}
    for key in (lambda e: e.fields.get("user_id"), lambda e: e.given[0]["content"]):
        places = [(s, key(e)) for s, d in files.items() for e in d if key(e) is not None]
        assert len({*places}) == len({value for _, value in places}) > 3
    assert not leakage.find(files["train"], files["test"])
    with pytest.raises(SplitError, match=r"no row has a field 'usr' \(data.group_by\); valid: use"):
        split_file(source, tmp_path / "no", reading=Reading(group_by=("usr",)))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_is_split_into_messages(tmp_path: Path, suffix: str) -> None:
    rng, source = random.Random(0), tmp_path / f"all.{suffix}"
    table = pd.DataFrame({
        "text": [words(rng) for _ in range(60)], "label": ["yes", "no"] * 30, "user": range(60)
    })  # fmt: skip
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(source)
    else:
        table.to_csv(source, index=False)
    assert sum(split_file(source, tmp_path / "out").rows.values()) == 60
    files = [Dataset.read(tmp_path / "out" / f"{s}.jsonl") for s in SPLITS]
    whole = {(e.prompt, e.reply, str(e.fields["user"])) for e in Dataset.read(source)}
    assert {(e.prompt, e.reply, str(e.fields["user"])) for split in files for e in split} == whole
    source = tmp_path / "wide.csv"
    source.write_text("a,b,c\n" + "x y,1,2\n" * 9)
    with pytest.raises(
        ConfigError, match=r"has the columns a, b, c\n.*which of them is the prompt"
    ):
        split_file(source, tmp_path / "no")
    columns = {"prompt": "a", "reply": "b"}
    with pytest.raises(SplitError, match="all 9 rows are alike"):
        split_file(source, tmp_path / "no", columns=columns)


def test_a_table_without_a_header_is_split_by_the_numbers_of_its_columns(tmp_path: Path) -> None:
    source, rng = tmp_path / "all.csv", random.Random(0)
    rows = [f"{words(rng)},{label}" for label in ("billing", "login") * 10]
    source.write_text("\n".join(["pay,billing", *rows]), "utf-8")
    with pytest.raises(
        ConfigError, match=r'number the columns from 1, .*prompt = "1", reply = "2"'
    ):
        split_file(source, tmp_path / "no")
    numbers = {"prompt": "1", "reply": "2"}
    with pytest.raises(ConfigError, match="no such column"):
        split_file(source, tmp_path / "no", columns={**numbers, "reply": "3"})
    for name in ("all.csv", "all.txt"):
        source = source.rename(tmp_path / name)
        done = split_file(source, tmp_path / "out", columns=numbers, force=True)
        assert sum(done.rows.values()) == 21
        assert not Dataset.read(tmp_path / "out" / "test.jsonl").problems


def test_infinity_in_a_table_is_told_with_its_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rng, source = random.Random(0), tmp_path / "all.parquet"
    texts = [words(rng) for _ in range(9)]
    table = pd.DataFrame({"text": texts, "label": ["a", "b", "c"] * 3, "x": [float("inf")] * 9})
    table.to_parquet(source)
    with pytest.raises(SplitError, match=r"all\.parquet: a field holds NaN or an infinity"):
        split_file(source, tmp_path / "out")


def test_by_time_the_newest_groups_are_the_test_set(tmp_path: Path) -> None:
    rng = random.Random(0)
    made = [row(words(rng), "ok", at=f"2026-01-{1 + n % 28:02}", user=n // 4) for n in range(200)]
    source, reading = written(tmp_path / "all.jsonl", made), Reading(time_by="at")
    split_file(source, tmp_path / "out", by_time=True, reading=reading)
    files = [Dataset.read(tmp_path / "out" / f"{s}.jsonl", reading=reading) for s in SPLITS]
    times = [[e.time or 0.0 for e in split] for split in files]
    assert [len(split) for split in files] == [140, 30, 30]
    assert max(times[0]) <= min(times[1]) <= max(times[1]) <= min(times[2])
    grouped = Reading(time_by="at", group_by=("user",))
    split_file(source, tmp_path / "groups", by_time=True, reading=grouped)
    newest = Dataset.read(tmp_path / "groups" / "test.jsonl", reading=grouped)
    assert {*Counter(e.group for e in newest).values()} == {4}
    for field, message in (("user_at", "line 1 has no time in 'user_at'"), ("", "--by-time FIELD")):
        with pytest.raises(SplitError, match=message):
            split_file(source, tmp_path / "no", by_time=True, reading=Reading(time_by=field))


def test_a_field_with_a_value_for_each_few_rows_is_no_label_but_a_group(tmp_path: Path) -> None:
    rng = random.Random(0)
    made = [row(words(rng), "ok", user=n // 2) for n in range(20)]
    source = written(tmp_path / "all.jsonl", made)
    with pytest.raises(SplitError, match=r"'user' has 10 values in 20 rows.*: --group-by user"):
        split_file(source, tmp_path / "out", by="user")


def test_rows_of_no_known_shape_are_split_by_their_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"task": f"{word} {n}", "solution": word} for n in range(9) for word in ("a", "b")]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(SplitError, match="columns = "):
        split_file(source, tmp_path)
    split_file(source, tmp_path, columns={"prompt": "task", "reply": "solution"}, similarity=1.0)
    found = [line for side in lines(tmp_path).values() for line in side]
    assert sorted(map(json.loads, found), key=str) == sorted(rows, key=str)
    columns = "columns = {prompt = 'task', reply = 'solution'}"
    (tmp_path / "tunegate.toml").write_text(f"[data]\n{columns}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["split", "in.jsonl", "-o", "data"]) == 0


def test_the_report_in_lines() -> None:
    counts = {"train": Counter(a=1200, bug=1), "validation": Counter(a=200), "test": Counter(a=99)}
    sizes = {split: of_split.total() for split, of_split in counts.items()}
    report = SplitReport(sizes, counts, 1000, 7)
    assert report.lines() == [
        "train: 1,201 rows (80.1%)",
        "validation: 200 rows (13.3%)",
        "test: 99 rows (6.6%)",
        "1,000 groups of similar rows kept together, the largest of 7 rows",
        "a     1,200     200      99",
        "bug       1       0       0",
    ]
    none = SplitReport(sizes, {split: Counter() for split in SPLITS}, 0, 1)
    assert none.lines()[3:] == ["0 groups of similar rows kept together"]


@pytest.mark.parametrize(
    ("bad", "first", "last"),
    [(1, "1 row cannot be read", ""), (2, "2 rows cannot", ""), (21, "21 rows", "  and 1 more")],
)
def test_up_to_twenty_unreadable_rows_are_listed(
    tmp_path: Path, bad: int, first: str, last: str
) -> None:
    source = tmp_path / "all.jsonl"
    source.write_text("".join(f"{{{n}\n" for n in range(bad)))
    with pytest.raises(SplitError) as raised:
        split_file(source, tmp_path / "out")
    head, *listed, advice = str(raised.value).splitlines()
    assert first in head
    assert advice == "  put them right, or let `tunegate fix FILE -o NEW` set them aside"
    assert [line.partition(":")[0] for line in listed[:20]] == [
        f"  line {n + 1}" for n in range(min(bad, 20))
    ]
    assert listed[20:] == ([last] if last else [])


def test_unreadable_rows_of_one_reason_are_one_line(tmp_path: Path) -> None:
    unlabelled = [{"text": "a"}] * 25 + [{"no": 1}, {"text": "b"}]
    with pytest.raises(SplitError) as raised:
        split_file(written(tmp_path / "all.jsonl", unlabelled), tmp_path / "out")
    head, *listed, _ = str(raised.value).splitlines()
    assert "27 rows cannot be read" in head
    assert [line.partition(":")[0] for line in listed] == ["  line 1 and 25 more", "  line 26"]


@pytest.mark.parametrize(("n", "message"), [(2, "has 2 rows; at least 3 are"), (3, "")])
def test_three_rows_are_the_fewest(tmp_path: Path, n: int, message: str) -> None:
    source = written(tmp_path / "all.jsonl", rows(3)[:n])
    if not message:
        shares = {"validation": 0.33, "test": 0.33}
        assert {*split_file(source, tmp_path / "out", **shares).rows.values()} == {1}  # type: ignore[arg-type]
        message = "test would be empty: 3 rows are too few, or its share is too small"
        source = written(tmp_path / "all.jsonl", rows(3))
    with pytest.raises(SplitError, match=message):
        split_file(source, tmp_path / "no", validation=0.6, test=0.01)


@pytest.mark.parametrize(("n", "spread"), [(30, True), (29, False)])
def test_values_of_three_rows_each_can_be_spread(n: int, spread: bool) -> None:
    dataset = Dataset.of([row(f"q{k}", "ok", user=k % 10) for k in range(n)])
    if spread:
        assert strata_of(dataset, "user") == [str(k % 10) for k in range(n)]
    else:
        with pytest.raises(SplitError, match="'user' has 10 values in 29 rows, too many"):
            strata_of(dataset, "user")


@pytest.mark.parametrize(("n", "together"), [(2, True), (3, False)])
def test_a_passage_of_many_rows_keeps_none_together(
    n: int, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngrams, "BOILERPLATE_ROWS", 1)  # of one split; of all three, twice as many
    passage = "on monday the courier left it with a neighbour whom nobody in this street knows"
    many = [row(f"{f'{x}o ' * 40} {passage} {f'{x}u ' * 9}", "other") for x in "xyz"[:n]]
    assert similar_groups(Dataset.of(many), 0.85) == (
        [[*range(n)]] if together else [[k] for k in range(n)]
    )


@given(
    groups=st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=5), min_size=1, max_size=40)
)
def test_the_oldest_groups_are_trained_on(groups: list[list[int]]) -> None:
    """Each split ends where it is due, to half of a group."""
    times = [float(time) for group in groups for time in group]
    rows_of = iter(range(len(times)))
    numbered = [[next(rows_of) for _ in group] for group in groups]
    shares = {"train": 0.7, "validation": 0.15, "test": 0.15}
    found = chronological_group_split(times, numbered, shares)
    ordered = sorted(numbered, key=lambda g: (max(times[i] for i in g), g[0]))
    assert [i for rows in found.values() for i in rows] == [i for g in ordered for i in g]
    of = {i: split for split, rows in found.items() for i in rows}
    assert all(len({of[i] for i in group}) == 1 for group in numbered)
    half = max(map(len, groups)) / 2
    assert abs(len(found["train"]) - 0.7 * len(times)) <= half
    if half == 0.5 and 0.15 * len(times) >= 1:  # no split is due less than a group
        assert abs(len(found["test"]) - 0.15 * len(times)) <= half
