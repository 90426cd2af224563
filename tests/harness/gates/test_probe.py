"""`--probe`: trainings on parts of the rows, what is printed of them, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from tunegate import Dataset
from tunegate.data.dataset import Reading
from tunegate.gates.probe import nested_parts, rows_text
from tunegate.results.score import Limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Project, Result

    Row = Callable[[str, str], str]

# A trainer whose model makes about 2 * n ** -0.4 errors, most of them in `refund`; it writes down
# each training.
TRAINER = """
class Learner(Toy):
    name = "learner"
    def why_no_probe(self, config): return config.get("no", "")
    def train(self, plan, folder):
        n = len(plan.train.read_bytes().splitlines())
        with (plan.root / "trainings.txt").open("a") as log: print(n, file=log)
        if (plan.root / f"stop{n}").exists(): raise KeyboardInterrupt
        (folder / "model").mkdir()
        (folder / "model" / "rows.txt").write_text(str(n))
        return Trained("learnt:" + str(folder.relative_to(plan.root) / "model"), "")

class Learnt(ToyModel):
    def __init__(self, rest, root):
        self.name, self.n = "learnt:" + rest, int((root / rest / "rows.txt").read_text())
        self.digest = hashlib.sha256(rest.encode()).hexdigest()
    def answers(self, requests):
        for r in requests:
            i = int(r.messages[-1]["content"].split()[-1])
            wrong = (i * 61 % 200 + 0.5) / 200 < 2 * self.n ** -0.4
            yield Answer(r.row, "none" if wrong else "refund" if i * 61 % 200 < 60 else "billing")

@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_trainers(register): register(Toy); register(Learner)

@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_models(register): register("toy", ToyModel); register("learnt", Learnt)
"""
N = 1_600


@pytest.fixture
def probed(project: Project, example_row: Row) -> Project:
    """A project of 1,600 rows, and a trainer that can be probed."""
    conftest = (project.root / "conftest.py").read_text()
    project.write("conftest.py", conftest.partition("@pytest.hookimpl")[0] + TRAINER)
    for split, numbers in {"train": range(N), "validation": range(N, N + 200)}.items():
        labels = ("refund" if n * 61 % 200 < 60 else "billing" for n in numbers)
        rows = (example_row(f"{split} {n}", b) for n, b in zip(numbers, labels, strict=True))
        project.write(f"{split}.jsonl", "".join(rows))
    return project


def probe(project: Project, *args: str, trainer: str = "learner") -> Result:
    return project.pytest("suites/data", "--train-with", trainer, "--probe", *args)


def trainings(project: Project) -> list[int]:
    path = project.root / "trainings.txt"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_curve_of_three_trainings(probed: Project) -> None:
    probed.add("tunegate.toml", "[limits]\naccuracy = 0.85\n")
    result = probe(probed)
    assert result.code == 0, result.out
    assert trainings(probed) == [200, 400, 800]
    beginning = "probe     "
    said = [line for line in result.out.splitlines() if line.startswith(beginning)]
    assert [line.removeprefix(beginning) for line in said] == [
        "learns 200 of 1,600 rows",
        "200 of 1,600 rows: 48 of 200 validation rows wrong (24.0%)",
        "learns 400 of 1,600 rows",
        "400 of 1,600 rows: 36 of 200 validation rows wrong (18.0%)",
        "learns 800 of 1,600 rows",
        "800 of 1,600 rows: 28 of 200 validation rows wrong (14.0%)",
    ]
    assert result.line("curve") == (
        "85% takes about 0 rows more (0 to 3,600, 95 % sure), if errors go on falling like this; "
        "these sizes do not exclude that they stay above 15%"
    )
    assert "most often wrong at 800 rows: refund 28, of 28" in result.out
    intents = [
        json.loads(p.read_text()) for p in probed.root.glob(".tunegate/probe/*/*/intent.json")
    ]
    assert [intent["test"] for intent in intents] == [None] * 3  # the test set has no part in it
    kept = [path.read_text() for path in probed.root.glob(".tunegate/probe/snapshots/*")]
    assert not [text for text in kept if "question 3" in text]
    assert result.line("next") == "pytest suites/data --train-with learner"


def test_what_the_limit_takes_can_be_beyond_what_is_known(probed: Project) -> None:
    assert (
        probe(probed).line("curve").startswith("how many rows 95% takes cannot be said: at least ")
    )


def test_nothing_is_trained_twice_and_an_interrupted_probe_goes_on(probed: Project) -> None:
    stop = probed.write("stop400", "")
    result = probe(probed)
    assert result.code == 130
    assert "did not finish (exit 130); the same command goes on" in result.out
    stop.unlink()
    first = probe(probed).out.partition("probe ")[2]
    assert trainings(probed) == [200, 400, 400, 800]
    again = probe(probed)
    assert trainings(probed) == [200, 400, 400, 800]
    assert "learns" not in again.out
    assert again.line("curve") in first
    probed.add("tunegate.toml", "[train.learner]\nspeed = 2\n")  # other settings are other runs
    probe(probed)
    assert trainings(probed)[4:] == [200, 400, 800]


def test_a_finished_run_on_all_rows_is_a_point_of_the_curve(probed: Project) -> None:
    assert probed.pytest("suites/data", "--train-with", "learner").code == 0
    before = {path: path.read_bytes() for path in probed.run.glob("*.json")}
    result = probe(probed)
    assert "1,600 of 1,600 rows: 21 of 200 validation rows wrong (10.5%)" in result.out
    assert trainings(probed) == [N, 200, 400, 800]
    assert before == {path: path.read_bytes() for path in probed.run.glob("*.json")}


def test_answers_of_a_probe_do_not_age(probed: Project) -> None:
    assert probed.pytest("suites/data", "--train-with", "learner").code == 0
    first = probe(probed)
    assert "asks 1,600 of 1,600 rows" in first.out
    again = probe(probed, "--fresh")
    assert again.code == 0, again.out
    assert again.line("curve") == first.line("curve")


def test_without_the_model_of_all_rows_the_parts_make_the_curve(probed: Project) -> None:
    assert probed.pytest("suites/data", "--train-with", "learner").code == 0
    shutil.rmtree(probed.run / "model")
    result = probe(probed)
    assert result.code == 0, result.out
    assert "1,600 of 1,600 rows: left out, its model cannot be asked" in result.out
    assert "most often wrong at 800 rows" in result.out


def test_a_part_that_has_lost_its_answers_is_trained_again(probed: Project) -> None:
    first = probe(probed)
    for path in probed.root.glob(".tunegate/probe/answers.sqlite*"):
        path.unlink()
    again = probe(probed)
    assert again.line("curve") == first.line("curve")
    assert trainings(probed) == [200, 400, 800] * 2


def test_rows_that_are_not_answered_are_named(probed: Project) -> None:
    stopped = (
        '        for r in requests:\n            if r.row == 7: yield Answer(7, error="long")\n'
    )
    text = (probed.root / "conftest.py").read_text()
    before, learnt = text.split("class Learnt")
    learnt = learnt.replace(
        "        for r in requests:\n", stopped + "            if r.row == 7: continue\n"
    )
    probed.write("conftest.py", f"{before}class Learnt{learnt}")
    result = probe(probed)
    assert result.code == 70
    said = "1 of 200 validation rows were not answered; line 8: long"
    assert said in result.out
    assert trainings(probed) == [200]


def test_a_lower_bound_takes_more() -> None:
    points = [(375, 45, 720), (750, 24, 720), (1_500, 9, 720)]
    text = rows_text(points, Limit(0.95, "lower"), 3_000)
    assert text.endswith("3,000 are there; its lower bound at 95% (mode = 'lower') takes more")


def test_no_model_of_a_probe_can_be_taken_for_a_run(probed: Project) -> None:
    probe(probed)
    assert probed.left("*.json") == []
    assert not (probed.root / "registry.jsonl").exists()
    tree = probed.root / ".tunegate" / "probe"
    assert list(tree.glob("runs/*/model")) == []  # nor is it kept
    taken = probed.judge()
    assert taken.code == 4
    assert "no finished run 'latest'" in taken.out
    # One that is copied among the runs has the seal of another key.
    moved = next(tree.glob("runs/*"))
    shutil.copytree(moved, probed.root / ".tunegate" / "runs" / moved.name)
    taken = probed.judge(model=f"run:{moved.name}")
    assert taken.code == 4
    assert "was not written by a gate of this state tree" in taken.out


def test_a_training_that_fails_ends_the_probe(probed: Project) -> None:
    probed.write(
        "conftest.py",
        (probed.root / "conftest.py")
        .read_text()
        .replace(
            "def preflight(self, plan): return []",
            "def preflight(self, plan):\n"
            "        from tunegate.interfaces.trainer import Problem\n"
            '        return [Problem("no memory")]',
        ),
    )
    result = probe(probed)
    assert result.code == 70
    assert "  - no memory" in result.out
    assert "did not finish (exit 70); the same command goes on" in result.out
    assert trainings(probed) == []


def test_the_gate_comes_first(probed: Project, example_row: Row) -> None:
    probed.add("train.jsonl", example_row("bad 1", "billing"))
    result = probe(probed)
    assert result.code == 1
    assert result.line("gate      closed").startswith(", nothing was trained: 1 failed")
    assert trainings(probed) == []


@pytest.mark.parametrize(
    ("trainer", "config", "args", "said"),
    [
        ("toy", "", (), "it does not train on parts of the rows; valid: learner"),
        ("learner", '[train.learner]\nno = "not today"\n', (), "--probe: not today"),
        ("learner", "", ("--elsewhere",), "--probe trains here, --elsewhere does not"),
        ("learner", 'task = "chat"\n', (), "task = 'chat'; valid: classification, multilabel"),
        ("learner", "", ("--validation-data", "none.jsonl"), "none.jsonl"),
        ("learner", "[limits]\naccuracy = 1.0\n", (), "set limits.accuracy below 1"),
    ],
)
def test_what_cannot_be_probed_is_one_line_before_any_test(
    probed: Project, trainer: str, config: str, args: tuple[str, ...], said: str
) -> None:
    probed.write("tunegate.toml", config + (probed.root / "tunegate.toml").read_text())
    result = probe(probed, *args, trainer=trainer)
    assert result.code == 4
    (error,) = [line for line in result.out.splitlines() if line.startswith("ERROR")]
    assert said in error
    assert trainings(probed) == []


def test_a_probe_needs_validation_rows_and_a_trainer(probed: Project) -> None:
    result = probed.pytest("suites/data", "--probe")
    assert "--probe needs the trainer's settings: --train-with TRAINER" in result.out
    (probed.root / "validation.jsonl").unlink()
    text = (probed.root / "tunegate.toml").read_text()
    probed.write("tunegate.toml", text.replace('validation = "validation.jsonl"\n', ""))
    result = probe(probed)
    assert result.code == 4
    assert "validation" in next(ln for ln in result.out.splitlines() if ln.startswith("ERROR"))


def test_groups_that_cannot_be_halved_are_said_before_a_training(probed: Project) -> None:
    for split in ("train", "validation"):
        rows = map(json.loads, (probed.root / f"{split}.jsonl").read_text().splitlines())
        named = ({**row, "user": min(i, 500)} for i, row in enumerate(rows))
        probed.write(f"{split}.jsonl", "".join(json.dumps(row) + "\n" for row in named))
    probed.write(
        "tunegate.toml",
        (probed.root / "tunegate.toml").read_text().replace("[data]", '[data]\ngroup_by = "user"'),
    )
    result = probe(probed)
    assert result.code == 1
    assert "groups (data.group_by), cannot be halved three times: [1100" in result.out
    assert trainings(probed) == []


def test_too_few_rows_are_said_before_a_training(probed: Project) -> None:
    rows = (probed.root / "train.jsonl").read_text().splitlines(keepends=True)
    probed.write("train.jsonl", "".join(rows[:60]))
    result = probe(probed)
    assert result.code == 1
    assert "cannot be halved three times: [8, 15, 30, 60]; 10 are the fewest" in result.out
    assert trainings(probed) == []


def test_too_few_independent_validation_rows_are_said_before_a_training(probed: Project) -> None:
    for split, of_group in {"train": 2, "validation": 20}.items():
        rows = map(json.loads, (probed.root / f"{split}.jsonl").read_text().splitlines())
        named = ({**row, "user": f"{split} {i // of_group}"} for i, row in enumerate(rows))
        probed.write(f"{split}.jsonl", "".join(json.dumps(row) + "\n" for row in named))
    text = (probed.root / "tunegate.toml").read_text()
    probed.write("tunegate.toml", text.replace("[data]", '[data]\ngroup_by = "user"'))
    result = probe(probed)
    assert result.code == 1
    assert "--probe: 10 independent validation rows; 100 are the fewest" in result.out
    assert trainings(probed) == []


def test_a_table_is_probed_too(probed: Project) -> None:
    for split in ("train", "validation"):
        lines = (probed.root / f"{split}.jsonl").read_text().splitlines()
        told = [[m["content"] for m in json.loads(line)["messages"]] for line in lines]
        table = "question,category\n" + "".join(f"{a},{b}\n" for a, b in told)
        probed.write(f"{split}.csv", table)
    test = '[data]\ntrain = "train.csv"\nvalidation = "validation.csv"\n'
    columns = 'columns = {prompt = "question", reply = "category"}\n'
    probed.write("tunegate.toml", test + columns)
    result = probe(probed)
    assert result.code == 0, result.out
    assert "800 of 1,600 rows: 28 of 200 validation rows wrong (14.0%)" in result.out


def test_a_snapshot_that_is_purged_is_purged_from_the_probe(probed: Project) -> None:
    probe(probed)
    digest = hashlib.sha256((probed.root / "train.jsonl").read_bytes()).hexdigest()
    assert probed.python("-m", "tunegate", "run", "purge", digest[:12]).code == 0
    assert not (probed.root / ".tunegate" / "probe").exists()


def test_parts_are_nested_whole_in_groups_and_even_in_labels() -> None:
    random = Random(0)
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"question {i}"},
                {"role": "assistant", "content": "abc"[min(i % 10, 2)]},
            ],
            "user": random.randrange(300) if i % 2 else None,
        }
        for i in range(1_600)
    ]
    train = Dataset.of(rows, "train", Reading(group_by=("user",)))
    parts = nested_parts(train, 3)
    assert parts == nested_parts(train, 3) != nested_parts(train, 4)
    assert [len(part) for part in parts] == pytest.approx([200, 400, 800], abs=5)
    for part, larger in pairwise([*parts, [*range(1_600)]]):
        assert {*part} < {*larger}
        outside = {train[i].group for i in larger if i not in {*part}} - {""}
        assert not outside & {train[i].group for i in part}
        shares = [Counter(train[i].label for i in rows) for rows in (part, larger)]
        for label in "abc":
            assert shares[0][label] / len(part) == pytest.approx(
                shares[1][label] / len(larger), abs=0.03
            )


@pytest.mark.parametrize("page", ["training.md", "training.pt-BR.md"])
def test_the_page_shows_what_is_printed(page: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / page).read_text("utf-8")
    sample = text.partition("```\nprobe ")[2].partition("```")[0]
    found = re.findall(r"([\d,]+) of 3,600 rows: (\d+) of 1,200", sample)
    points = [(int(rows.replace(",", "")), int(wrong), 1_200) for rows, wrong in found]
    assert len(points) == 3
    curve = sample.partition("curve ")[2].partition("most often")[0]
    assert " ".join(curve.split()) == rows_text(points, 0.95, 3_600)


def test_where_the_rows_that_are_there_suffice_it_says_so() -> None:
    points = [(375, 45, 720), (750, 24, 720), (1_500, 9, 720)]
    assert rows_text(points, 0.95, 3_000) == (
        "95% takes about 470 rows (360 to 570, 95 % sure); 3,000 are there"
    )
    assert rows_text(points[:2], 0.95, 3_000) == (
        "how many rows 95% takes cannot be said: a power law takes 3 sizes, and 2 are there"
    )
    assert rows_text(points, 1.0, 3_000).endswith("no number of rows takes the last error away")


def test_a_diagnosis_asks_the_curve_whether_more_rows_would_help(probed: Project) -> None:
    probed.add("tunegate.toml", "[limits]\naccuracy = 0.85\n")
    assert probed.pytest("suites/data", "--train-with", "learner").code == 0
    curve = probe(probed).line("curve")
    probed.judge()
    told = probed.python("-m", "tunegate", "run", "diagnose", "--json")
    causes = {cause["name"]: cause for cause in json.loads(told.out)["causes"]}
    assert causes["too few rows"]["evidence"] == curve
    assert causes["too few rows"]["likely"] is False
    text = (probed.root / "tunegate.toml").read_text().replace("0.85", "0.98")
    probed.write("tunegate.toml", text)
    told = probed.python("-m", "tunegate", "run", "diagnose", "--json")
    causes = {cause["name"]: cause for cause in json.loads(told.out)["causes"]}
    assert causes["too few rows"]["likely"] is not False
    rows = (probed.root / "train.jsonl").read_text().replace("billing", "delivery")
    probed.write("train.jsonl", rows)  # the parts are of other data now
    assert probed.pytest("suites/data", "--train-with", "learner").code == 0
    probed.judge()
    told = probed.python("-m", "tunegate", "run", "diagnose", "--json")
    causes = {cause["name"]: cause for cause in json.loads(told.out)["causes"]}
    assert causes["too few rows"]["evidence"] == "1,600 suffice for classification"
