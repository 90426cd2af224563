"""`tunegate run diagnose`: of trainings with a planted cause it names that one first.

The trainer learns its rows by heart, and its model answers as the row with the most words in
common: what a training does to it, it does to its answers.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from published import check

from tunegate.cli.main import main

if TYPE_CHECKING:
    from conftest import Project

CONFTEST = """\
import hashlib, json, os, random
import pytest
from tunegate.interfaces.model import Answer
from tunegate.interfaces.trainer import Trained

def told(messages):
    texts = {m["role"]: m["content"] for m in messages}
    return texts.get("system"), set(texts["user"].split()), texts.get("assistant")

class Toy:
    name = "toy"
    def resolve(self, config, root): return {"base": "toy:base", "seed": 0, **config}
    def base_digest(self, config, root): return "base"
    def baseline(self, config): return config["base"]
    def preflight(self, plan): return []
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
SUITE = "def test_rows(dataset):\n    assert len(dataset)\n"
JUDGED = """\
from tunegate_checks.model import classification

def test_accuracy(predictions):
    assert classification.accuracy(predictions) >= 0
"""
WORDS = {
    "billing team": "invoice charge refund card payment bank price receipt tax amount",
    "parcel team": "courier delivery tracking box address late lost doorstep depot driver",
}
COMMON = "hello please today again my the your order since week account help number about".split()
OTHER = "login password screen error browser update crash button menu phone tablet robot".split()


def tickets(
    n: int, seed: int, system: str = "", noise: float = 0.0, words: list[str] | None = None
) -> str:
    """Return rows of the two teams, `noise` of them with the label of the other team."""
    rng, lines = random.Random(seed), []
    for i in range(n):
        team = [*WORDS][i % 2]
        own = words or WORDS[team].split()
        told = [*rng.sample(own, 5), *rng.sample(COMMON, 5), f"n{rng.randrange(10**6)}"]
        rng.shuffle(told)
        label = [*WORDS][(i + 1) % 2] if rng.random() < noise else team
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


@pytest.mark.parametrize("cause", PLANTED)
def test_it_names_the_planted_cause_first(
    project: Project, cause: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    trained_on(project, **PLANTED[cause])
    monkeypatch.chdir(project.root)
    assert main(["run", "diagnose"]) in (0, None)
    out = capsys.readouterr().out
    __import__("pathlib").Path("/tmp/p2/wB_out.txt").open("a").write(out + "\n")
    assert f"verdict   likely cause: {cause}\n" in out
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.splitlines()) <= 24
    assert main(["run", "diagnose", "--json"]) in (0, None)
    told = json.loads(capsys.readouterr().out)
    check("run-diagnose", told)
    assert [c["name"] for c in told["causes"] if c["likely"]] == [cause]


def test_of_a_healthy_run_nothing_stands_out(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    trained_on(project, **HEALTHY)
    monkeypatch.chdir(project.root)
    assert main(["run", "diagnose"]) in (0, None)
    out = capsys.readouterr().out
    __import__("pathlib").Path("/tmp/p2/wB_out.txt").open("a").write(out + "\n")
    assert "verdict   nothing stands out\n" in out
    assert "next" not in out
