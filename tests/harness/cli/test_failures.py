"""`tunegate failures`: the wrong answers as a dataset, from the cache alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from published import check

from tunegate import Dataset

if TYPE_CHECKING:
    from conftest import Project


def spoil(project: Project) -> None:
    """Expect something else in the third row of the test set, and judge the model on it."""
    lines = (project.root / "test.jsonl").read_text().splitlines()
    row = json.loads(lines[2]) | {"channel": "mail"}
    row["messages"][-1]["content"] = "something else"
    project.write("test.jsonl", "\n".join([*lines[:2], json.dumps(row), *lines[3:]]))


def test_what_was_wrong_is_a_dataset(trained: Project) -> None:
    spoil(trained)
    trained.judge()
    printed = trained.python("-m", "tunegate", "failures", "-o", "out/wrong.jsonl")
    assert printed.out.splitlines() == [
        "1 of 6 answers were wrong: out/wrong.jsonl",
        "       1 of 6 ( 17%)  ",
        "These are test rows: who trains on them has no test, and the leakage check closes the",
        "gate. Draw new ones like them from what is asked of the model: tunegate data next LOG",
    ]
    (example,) = Dataset.read(trained.root / "out" / "wrong.jsonl")
    assert (example.prompt, example.reply) == ("question 32", "something else")
    fields = {k: v for k, v in example.fields.items() if k != "messages"}
    assert fields == {"got": "a", "line": 3, "channel": "mail"}


def test_nothing_wrong_is_an_empty_file(trained: Project) -> None:
    trained.judge()
    printed = trained.python("-m", "tunegate", "failures", trained.run.name)
    assert printed.out == "0 of 6 answers were wrong: failures.jsonl\n"
    assert (trained.root / "failures.jsonl").read_bytes() == b""


def test_a_run_that_was_never_judged_here(trained: Project) -> None:
    spoil(trained)
    printed = trained.python("-m", "tunegate", "failures")
    assert printed.code == 2
    assert f"pytest suites/model --model run:{trained.run.name}" in printed.out
    assert trained.python("-m", "tunegate", "failures", "nonsense").code == 2


def test_what_is_wrong_is_named_by_its_words_masked(trained: Project) -> None:
    asked = [f"late card of {n} call 415-555-267{n}" for n in range(3)]
    asked += ["where is the invoice", "a fee was charged", "hello there"]
    rows = [{"messages": [{"role": "user", "content": text}]} for text in asked]
    for n, row in enumerate(rows):
        row["messages"].append({"role": "assistant", "content": "c" if n < 3 else "ab"[n % 2]})
    trained.write("test.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    trained.judge()
    printed = trained.python("-m", "tunegate", "failures", "--json")
    check("failures", told := json.loads(printed.out))
    (cluster,) = told["clusters"]
    assert (cluster["wrong"], cluster["n"], sorted(cluster["lines"])) == (3, 6, [1, 2, 3])
    assert {*cluster["words"]} <= {"late", "card", "call"}
    text = trained.python("-m", "tunegate", "failures").out
    assert "3 of 6 ( 50%)  " in text
    assert "2670" not in text + printed.out


def test_no_file_of_the_data_is_replaced(trained: Project) -> None:
    spoil(trained)
    trained.judge()
    before = (trained.root / "test.jsonl").read_bytes()
    for command in (["failures"], ["run", "diagnose"]):
        printed = trained.python("-m", "tunegate", *command, "-o", "./test.jsonl")
        assert printed.code == 2
        assert "-o test.jsonl: it is a file of the project's data; name another" in printed.out
        assert (trained.root / "test.jsonl").read_bytes() == before
