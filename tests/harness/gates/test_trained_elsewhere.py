"""`--train-with NAME --elsewhere`: the gate opens, and who trains behind it is somebody else."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.cli.main import main
from tunegate.gates.promotion import promotion_facts
from tunegate.storage.registry import Registry

if TYPE_CHECKING:
    from conftest import Project

WORD = "trained elsewhere; on the word of ana: that it was trained on these bytes, and no others"


def test_the_gate_opens_and_nothing_is_trained(project: Project) -> None:
    result = project.gate("--elsewhere")
    assert result.code == 0, result.out
    assert result.line("gate").startswith("open: all 4 tests")
    run = project.run.name
    assert result.line("run") == f"{run} may be trained elsewhere; nothing was trained here"
    assert result.line("next") == f"tunegate run export axolotl {run}"
    assert sorted(p.name for p in project.run.iterdir()) == [
        *("config.json", "intent.json", "receipt.json"),
    ]


def test_a_closed_gate_leaves_nothing_to_train_on(project: Project) -> None:
    project.add("train.jsonl", '{"messages": [{"role": "user", "content": "bad"}]}\n')
    result = project.gate("--elsewhere")
    assert result.code == 1
    assert project.left("receipt.json") == []


@pytest.mark.slow
def test_it_is_the_run_that_would_be_trained_here(project: Project) -> None:
    project.gate("--elsewhere")
    run = project.run
    assert project.gate().code == 0
    assert project.run == run
    assert (run / "run.json").is_file()


def test_a_setting_that_came_later_leaves_the_run_what_it_was(project: Project) -> None:
    project.gate("--elsewhere")
    run, conftest = project.run, project.root / "conftest.py"
    later = conftest.read_text().replace('"seed": 0', '"seed": 0, "later": 0')
    named = 'name = "toy"\n'
    conftest.write_text(later.replace(named, named + '    neutral = {"later": 0}\n'))
    project.gate("--elsewhere")
    assert project.run == run


def test_it_needs_a_trainer_whose_settings_are_meant(project: Project) -> None:
    result = project.pytest("suites/data", "--elsewhere")
    assert result.code == 4
    assert "--elsewhere needs the trainer's settings: --train-with TRAINER" in result.out


def test_on_whose_word_stands_in_the_registry_and_stays_there(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.root)
    registry = Registry(project.root)
    for run in "ab":
        told = {"trained": WORD} if run == "a" else {}
        model = {"run": run, "model": f"folder:{run}", "model_digest": run}
        registry.append("promote", "production", model | told, "because")
    assert registry.rollback("production", "worse")["trained"] == WORD
    main(["history"])
    assert capsys.readouterr().out.count(f"    {WORD}\n") == 2


@pytest.mark.parametrize("word", [WORD, ""])
def test_a_promotion_says_on_whose_word_a_model_was_trained(word: str) -> None:
    run: Any = SimpleNamespace(id="a", attestation=word, record={"receipt": "r"})
    candidate: Any = SimpleNamespace(spec="folder:a", digest="d")
    told = promotion_facts(run, candidate, {"test": {"digest": "t"}}, "c")
    assert told.get("trained", "") == word
    json.dumps(told)
