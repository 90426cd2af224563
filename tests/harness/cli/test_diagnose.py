"""`tunegate run diagnose`: of trainings with a planted cause it names that one first.

The trainer learns its rows by heart, and its model answers as the row with the most words in
common: what a training does to it, it does to its answers.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from published import check
from toy_trainer import TOY_TRAINER

from tunegate.cli.init import EXAMPLES
from tunegate.cli.main import main

if TYPE_CHECKING:
    from conftest import Project

CONFTEST = (
    """\
import hashlib, json, os, random
import pytest
from tunegate.interfaces.model import Answer
from tunegate.interfaces.trainer import Trained

def told(messages):
    texts = {m["role"]: m["content"] for m in messages}
    return texts.get("system"), set(texts["user"].split()), texts.get("assistant")

"""
    + TOY_TRAINER
    + """\
    def train(self, plan, folder):
        (folder / "toy.txt").write_bytes(plan.train.read_bytes())
        readings = [{"step": n, "epoch": n, "train_loss": 1 / n} for n in (1, 2, 3)]
        losses = plan.config.get("losses", [0.5, 0.4, 0.35])
        readings += [{"step": n, "epoch": n, "validation_loss": x} for n, x in enumerate(losses, 1)]
        (folder / "curves.jsonl").write_text("".join(json.dumps(r) + "\\n" for r in readings))
        name = os.path.relpath(folder / "toy.txt", plan.train.parents[2])
        most, by_heart = plan.config.get("most", 99), len(losses) > 3
        return Trained(f"toy:{name}:{most}:{by_heart:d}", "")

class ToyModel:
    def __init__(self, rest, root):
        self.name, self.rows = "toy:" + rest, []
        self.digest = hashlib.sha256(rest.encode()).hexdigest()
        if rest != "base":
            name, most, by_heart = rest.split(":")
            self.most, self.by_heart = int(most), int(by_heart)
            lines = (root / name).read_text().splitlines()
            self.rows = [told(json.loads(line)["messages"]) for line in lines]
    def answers(self, requests):
        for r in requests:
            system, words, _ = told(r.messages)
            known = [row for row in self.rows if row[0] == system]
            if not known:
                yield Answer(r.row, "How can I help you?")
                continue
            near = max(known, key=lambda row: len(row[1] & words))
            if self.by_heart and len(near[1] & words) < 8:
                near = random.Random(r.row).choice(known)
            cut = near[2][: self.most]
            yield Answer(r.row, cut, finish="stop" if cut == near[2] else "length")

@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_trainers(register): register(Toy)

@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_models(register): register("toy", ToyModel)
"""
)
SUITE = "def test_rows(dataset):\n    assert len(dataset)\n"
JUDGED = """\
from tunegate_checks.model import classification

def test_accuracy(predictions):
    assert classification.accuracy(predictions) >= 0
"""
TEAMS = ("billing team", "parcel team")
# Made-up words: 40 of each team, and ten that both use.
WORDS = {team: [f"{team[0]}{n}{'aeiou'[n % 5]}x" for n in range(40)] for team in TEAMS}
COMMON = ["hello", "please", "today", "again", "my", "the", "order", "since", "week", "help"]
OTHER = [f"other{n}" for n in range(40)]


def tickets(
    n: int, seed: int, system: str = "", noise: float = 0.0, words: list[str] | None = None
) -> str:
    """Return rows of the two teams, `noise` of them with the label of the other team."""
    rng, lines = random.Random(seed), []
    for i in range(n):
        team = TEAMS[i % 2]
        told = [*rng.sample(words or WORDS[team], 5), *rng.sample(COMMON, 4)]
        rng.shuffle(told)
        label = TEAMS[(i + 1) % 2] if rng.random() < noise else team
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": "user", "content": " ".join(told)}]
        messages += [{"role": "assistant", "content": label}]
        lines.append(json.dumps({"messages": messages}) + "\n")
    return "".join(lines)


def trained_on(project: Project, train: str, test: str, settings: str = "") -> None:
    files = {"train": train, "validation": tickets(60, 7), "test": test}
    for split, text in files.items():
        project.write(f"{split}.jsonl", text)
    project.write("conftest.py", CONFTEST)
    project.write("suites/data/test_it.py", SUITE)
    project.write("suites/model/test_m.py", JUDGED)
    project.add("tunegate.toml", f"[train.toy]\n{settings}")
    for done in (project.gate(), project.judge()):
        assert done.code == 0, done.out


HEALTHY = {"train": tickets(440, 1), "test": tickets(100, 2)}
NOISY = HEALTHY | {"train": tickets(440, 1, noise=0.2)}
PLANTED = {
    "label noise": NOISY,
    "wrong system prompt": HEALTHY | {"train": tickets(440, 1, system="Name the team.")},
    "shifted test set": HEALTHY | {"test": tickets(100, 2, words=OTHER)},
    "too few rows": HEALTHY | {"train": tickets(24, 1)},
    "cut replies": HEALTHY | {"settings": "most = 4\n"},
    "overfitting": HEALTHY | {"settings": "losses = [0.5, 0.4, 0.6, 0.8]\n"},
}


def diagnose(capsys: Any, *options: str) -> str:
    assert main(["run", "diagnose", *options]) in (0, None)
    return str(capsys.readouterr().out)


@pytest.mark.parametrize("cause", PLANTED)
def test_it_names_the_planted_cause_first(
    project: Project, cause: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    trained_on(project, **PLANTED[cause])
    monkeypatch.chdir(project.root)
    out = diagnose(capsys)
    assert f"verdict   likely cause: {cause}\n" in out
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.splitlines()) <= 24
    told = json.loads(diagnose(capsys, "--json"))
    check("run-diagnose", told)
    assert [c["name"] for c in told["causes"] if c["likely"]] == [cause]


def test_of_a_healthy_run_nothing_stands_out(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    lines = HEALTHY["test"].splitlines()  # one label that is the test set's own error
    odd = lines[0].replace("billing team", "parcel team")
    trained_on(project, HEALTHY["train"], "\n".join([odd, *lines[1:], ""]))
    monkeypatch.chdir(project.root)
    out = diagnose(capsys)
    assert "99 of 100 test rows right, 99.0%" in out
    assert "verdict   nothing stands out\n" in out
    assert "next" not in out
    names = " ".join(out.split())
    assert all(cause in names.partition("ruled out")[2] for cause in PLANTED)


def test_the_first_of_several_causes_is_named_and_the_others_stand_below(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    settings = "losses = [0.5, 0.4, 0.6, 0.8]\n"
    trained_on(project, NOISY["train"], HEALTHY["test"], settings)
    monkeypatch.chdir(project.root)
    out = diagnose(capsys)
    assert "verdict   likely cause: label noise\n" in out
    assert "also      overfitting: validation loss 0.4 after epoch 2" in out


def test_without_curves_overfitting_is_not_known(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    trained_on(project, **HEALTHY)
    (project.run / "curves.jsonl").unlink()
    monkeypatch.chdir(project.root)
    out = diagnose(capsys)
    assert "verdict   no answer is wrong\n" in out
    assert "not known overfitting: the candidate belongs to no run, or its trainer" in out


def test_a_label_that_begins_another_is_no_cut_reply(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    files = {k: v.replace("parcel team", "billing team two") for k, v in NOISY.items()}
    trained_on(project, **files)
    monkeypatch.chdir(project.root)
    told = json.loads(diagnose(capsys, "--json"))
    assert [c["name"] for c in told["causes"] if c["likely"]] == ["label noise"]


def test_rows_without_a_label_are_left_out(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def as_json(text: str) -> str:
        first, *rest = re.sub(r'"(\w+ team)"', r'"{\\"team\\": \\"\1\\"}"', text).splitlines(True)
        return "".join([re.sub(r'"\{.*?\}"', '"Which team?"', first), *rest])

    text = (project.root / "tunegate.toml").read_text()
    project.write("tunegate.toml", f'label = "json:team"\n{text}')
    trained_on(project, *map(as_json, NOISY.values()))
    monkeypatch.chdir(project.root)
    assert "verdict   likely cause: label noise\n" in diagnose(capsys)


def test_replies_that_are_no_labels_are_not_too_few_rows(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def as_prose(text: str) -> str:
        lines = enumerate(text.splitlines())
        return "".join(
            f"{re.sub('[a-z]+ team', f'A reply of {n} for you', ln)}\n" for n, ln in lines
        )

    trained_on(project, *map(as_prose, HEALTHY.values()))
    monkeypatch.chdir(project.root)
    (told,) = (c for c in json.loads(diagnose(capsys, "--json"))["causes"] if "few" in c["name"])
    assert told["likely"] is None
    assert "no set of labels" in told["evidence"]


def test_readings_that_are_none_are_passed_over(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    trained_on(project, **HEALTHY)
    with (project.run / "curves.jsonl").open("a") as curves:
        curves.write("[1]\n")
    monkeypatch.chdir(project.root)
    assert "overfitting" in diagnose(capsys).partition("ruled out")[2]


def test_the_prompt_in_production_counts(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    told = {split: tickets(n, n, system="Name it.") for split, n in (("train", 440), ("test", 90))}
    trained_on(project, **told)
    project.write("system.txt", "Name it!\n")
    text = (project.root / "tunegate.toml").read_text()
    project.write("tunegate.toml", text.replace("[data]", '[data]\nsystem = "system.txt"'))
    monkeypatch.chdir(project.root)
    (first, *_) = json.loads(diagnose(capsys, "--json"))["causes"]
    assert (first["name"], first["likely"]) == ("wrong system prompt", True)
    assert "have another than inference" in first["evidence"]


MAIL = "rita.souza@correio.com.br"


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_sheet_has_twenty_rows_of_three_strata(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any, name: str
) -> None:
    test = HEALTHY["test"].replace("hello", f"=hello {MAIL}")
    trained_on(project, NOISY["train"], test)
    monkeypatch.chdir(project.root)
    assert f"sheet     rows to read by hand: {name}\n" in diagnose(capsys, "-o", name)
    assert (project.root / name).stat().st_mode & 0o777 == 0o600

    def rows() -> list[dict[str, Any]]:
        text = (project.root / name).read_text("utf-8")
        if name == "rows.csv":
            return [*csv.DictReader(text.splitlines())]
        return [json.loads(line) for line in text.splitlines()]

    masked = rows()
    strata = [row["stratum"] for row in masked]
    assert len(masked) == 20
    assert strata.count("wrong") >= 10
    assert {*strata} == {"wrong", "near wrong", "right"}
    assert not any(MAIL in str(row) for row in masked)
    diagnose(capsys, "-o", name, "--unmasked")
    assert [row["line"] for row in rows()] == [row["line"] for row in masked]
    assert any(MAIL in str(row) for row in rows())
    for row in rows():
        assert bool(row["train_line"]) == bool(row["similarity"])
        assert str(row["train_line"] or 1).isdigit()
        assert name == "rows.jsonl" or not row["prompt"].startswith("=")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-o", "rows.xlsx"), "-o rows.xlsx: a name that ends in .csv or .jsonl is valid"),
        (("ffff",), "no finished run 'ffff'; finished runs: "),
        (("--test-data", "validation.jsonl"), "was never asked about test set"),
    ],
)
def test_a_mistake_is_one_line(
    trained: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any, options: Any, said: str
) -> None:
    monkeypatch.chdir(trained.root)
    assert main(["run", "diagnose", *options]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert said in err


@pytest.mark.slow
def test_the_demo_s_base_trained_with_another_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A real training, on some of the demo's tickets, under a prompt that the test set lacks."""
    for library in ("transformers", "peft", "bitsandbytes"):
        pytest.importorskip(library)
    make_project = runpy.run_path(str(EXAMPLES / "demo.py"))["make_project"]
    make_project(root := tmp_path / "demo")
    train = root / "data" / "train.jsonl"
    rows = [json.loads(line) for line in train.read_text("utf-8").splitlines()[:400]]
    for row in rows:
        row["messages"][0]["content"] = "You sort the mail of a shop. Name one of six boxes."
    train.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    for path in (root / "suites" / "data").glob("test_*.py"):
        path.unlink()
    (root / "suites" / "data" / "test_it.py").write_text(SUITE)
    monkeypatch.chdir(root)
    env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    for words in (
        ("suites/data", "--train-with", "qlora"),
        ("suites/model/test_quality.py", "--model", "latest"),
    ):
        command = [sys.executable, "-m", "pytest", "-q", *words]
        subprocess.run(command, env=env, check=False, capture_output=True)
    assert "verdict   likely cause: wrong system prompt\n" in diagnose(capsys)
