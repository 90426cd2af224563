"""What docs/judge.md shows works as it stands, in both languages, and `init` ships its example."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import forking
import pytest

from tunegate.cli.init import create_project
from tunegate.config.schema import Judge, load
from tunegate_checks.judge import calibration, rubric

ROOT = Path(__file__).parents[1]
PAGES = ("docs/judge.md", "docs/judge.pt-BR.md")


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_both_pages_show_the_same_code() -> None:
    for language in ("python", "json"):
        assert blocks(PAGES[0], language) == blocks(PAGES[1], language)
    tables = [[sorted(tomllib.loads(b)) for b in blocks(page, "toml")] for page in PAGES]
    assert tables[0] == tables[1]


@pytest.mark.parametrize("page", PAGES)
def test_configuration_rubrics_and_labels_are_valid(page: str, tmp_path: Path) -> None:
    config, criteria, scale = blocks(page, "toml")
    (tmp_path / "tunegate.toml").write_text(re.sub(r"(?m)^# (?=\w+ =)", "", config), "utf-8")
    shown = load(tmp_path).judge
    usual = Judge(models=shown.models, rubric=shown.rubric, labels=shown.labels)
    assert shown == usual  # the comments show the defaults
    for name, text in (("criteria", criteria), ("scale", scale)):
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    (tmp_path / "labels.jsonl").write_text(blocks(page, "json")[0], "utf-8")
    by = rubric.load_rubric(tmp_path / "criteria.toml")
    read = calibration.load_human_labels(tmp_path / "labels.jsonl", by)
    assert [by.passes(label.marks) for label in read.graded] == [True, False]
    assert [label.better for label in read.compared] == ["a"]
    assert rubric.load_rubric(tmp_path / "scale.toml").passes({"score": 4})


def test_init_ships_an_example_that_is_valid(tmp_path: Path) -> None:
    lines = create_project(tmp_path)
    assert "wrote  suites/model/rubric.toml" in lines
    shipped = rubric.load_rubric(tmp_path / "suites/model/rubric.toml")
    assert [c.id for c in shipped.criteria] == ["answers", "polite", "invents_nothing"]
    text = (tmp_path / "suites/model/rubric.toml").read_text("utf-8")
    head, tail = text.split("# Yes is good.")[0], text.split("criteria:\n")[1]
    (tmp_path / "scale.toml").write_text(head + tail.replace("# ", ""), "utf-8")
    assert rubric.load_rubric(tmp_path / "scale.toml").scale == (1, 5)


def test_the_code_runs_as_a_suite(tmp_path: Path) -> None:
    suite = tmp_path / "suites" / "model"
    suite.mkdir(parents=True)
    config, criteria, _ = blocks(PAGES[0], "toml")
    tests, judge = blocks(PAGES[0], "python")
    config = config.replace("openai:NAME", "python:judges:length")
    labelled = blocks(PAGES[0], "json")[0].splitlines()
    answers = [f"It is on its way, number {i}." if i % 2 else f"No {i}." for i in range(40)]
    verdicts = [{"answers": bool(i % 2), "polite": True} for i in range(40)]
    rows = [
        {"prompt": "Where?", "answer": a, "verdicts": v}
        for a, v in zip(answers, verdicts, strict=True)
    ]
    people = "\n".join([*labelled[2:], *map(json.dumps, rows)])
    told = [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}]
    files = {
        "tunegate.toml": f'[data]\ntest = "test.jsonl"\n{config}',
        "judges.py": judge,
        "suites/model/rubric.toml": criteria,
        "suites/model/labels.jsonl": people,
        "suites/model/test_docs.py": tests,
        "test.jsonl": json.dumps({"messages": told}),
        "answers.jsonl": '{"text": "It is on its way."}',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    command = ["-m", "pytest", "-p", "tunegate", "-q", "suites/model"]
    code, out = forking.run_python(
        [*command, "--model", "file:answers.jsonl"],
        tmp_path,
        {**os.environ, "COLUMNS": "80", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert code == 0, out
    assert "2 passed" in out
    assert re.search(r"judge \(support reply\) +100.0%", out)
    assert "advisory" not in out
