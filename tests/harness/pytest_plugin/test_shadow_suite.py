"""`pytest suites/shadow` as a user runs it: what is replayed, when it ends, and what is kept."""

from __future__ import annotations

import json
import runpy
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from readmes import ROOT

from tunegate import Dataset, Prediction, Predictions
from tunegate.data.traffic import read_traffic
from tunegate.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Project

WORDS = ["refund", "parcel", "invoice", "late", "order", "card", "address", "login", "crash"]
MODELS = """
def number(messages):
    return int(messages[-1]["content"].split()[-1])
def good(messages):
    return "ab"[number(messages) % 2] if number(messages) % 50 else "b"
def dull(messages):
    return "a"
def broken(messages):
    return "who knows?" if number(messages) % 4 == 0 else "ab"[number(messages) % 2]
"""
SETTINGS = """
[shadow]
log = "logs/*.jsonl"
[limits]
fewest_per_class = 5
"""


def question(number: int) -> str:
    words = " ".join(WORDS[number * k % len(WORDS)] for k in (1, 2, 4))
    return f"please help with the {words} number {10_000 + number}"


def reply(number: int) -> dict[str, str]:
    return {"role": "assistant", "content": "ab"[number % 2]}


@pytest.fixture
def shadowed(project: Project) -> Project:
    """A project with 600 logged requests, of which one in 50 has an address of a person."""
    shutil.copytree(ROOT / "suites" / "shadow", project.root / "suites" / "shadow")
    rows = {"train": range(400), "validation": range(400, 480), "test": range(480, 600)}
    for split, numbers in rows.items():
        turns = ([{"role": "user", "content": question(n)}, reply(n)] for n in numbers)
        lines = [json.dumps({"messages": messages}) for messages in turns]
        project.write(f"{split}.jsonl", "\n".join(lines) + "\n")
    lines = []
    for n in range(1000, 1600):
        text = question(n) if n % 50 else f"I am ana.souza@example.org.br, {question(n)}"
        choices = [{"message": reply(n), "finish_reason": "stop"}]
        request = {"messages": [{"role": "user", "content": text}]}
        facts = {"latency": 0.4 + n / 1e5, "response": {"choices": choices}}
        lines.append(json.dumps({"request": request, **facts}))
    (project.root / "logs").mkdir()
    project.write("logs/monday.jsonl", "\n".join(lines) + "\n")
    project.write("models.py", MODELS)
    project.add("tunegate.toml", SETTINGS)
    return project


def card(project: Project) -> dict[str, object]:
    (path,) = (project.root / ".tunegate" / "shadow").glob("*.json")
    kept: dict[str, object] = json.loads(path.read_text("utf-8"))
    return kept


def test_a_replay_ends_when_its_claims_are_decided_and_keeps_masked_requests_alone(
    shadowed: Project,
) -> None:
    told = shadowed.pytest("suites/shadow", "--model", "python:models:good")
    assert told.code == 0, told.out
    assert "asked: 600 of 600 different requests, 600 logged" in told.out
    assert "agreement >= 0.9 (point) passes early" in told.out
    assert "not worse by 0.03 passes early" in told.out
    for name in ("agreement", "usable replies gained", "errors: candidate", "far from training"):
        assert f"\n{name} " in told.out
    assert "\nproduction: latency p95 (s)  0.41" in told.out
    kept = card(shadowed)
    assert (kept["gate"], kept["predictions"]) == ("open", None)
    assert kept["stopped"]["rows"] < 400  # type: ignore[index]
    for path in (shadowed.root / ".tunegate").rglob("*"):
        assert path.is_dir() or b"ana.souza" not in path.read_bytes()
    again = shadowed.pytest("suites/shadow", "--model", "python:models:good")
    assert again.code == 0
    assert card(shadowed)["stopped"] == kept["stopped"]


def test_replies_that_no_program_can_use_close_the_gate_after_few_requests(
    shadowed: Project,
) -> None:
    told = shadowed.pytest("suites/shadow", "--model", "python:models:broken")
    assert told.code == 1
    assert "is not shown, fails early" in told.out
    assert card(shadowed)["stopped"]["rows"] <= 100  # type: ignore[index]


def test_another_answer_than_production_s_is_no_agreement(shadowed: Project) -> None:
    told = shadowed.pytest("suites/shadow", "--model", "python:models:dull")
    assert told.code == 1
    assert "agreement >= 0.9 (point) fails early" in told.out


def test_with_ask_all_each_request_is_asked_and_drift_and_languages_are_told(
    shadowed: Project,
) -> None:
    path = shadowed.root / "logs" / "monday.jsonl"
    lines = path.read_text("utf-8").replace("please help with the", "não é para mim, você está com")
    path.write_text(lines, "utf-8")
    text = (shadowed.root / "tunegate.toml").read_text("utf-8")
    shadowed.write(
        "tunegate.toml", 'ask = "all"\n' + text.replace("[shadow]", "[shadow]\nfar = 0.2")
    )
    told = shadowed.pytest("suites/shadow", "--model", "python:models:good")
    assert told.code == 1
    assert "stopped" not in card(shadowed)
    assert "languages differ from train's" in told.out
    assert "most of all" in told.out


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ('log = "nowhere/*"', (), "is there; 1 not read, the first nowhere/*: no such file; name"),
        ("", ("--test-data", "test.jsonl"), "suites/shadow replays the log of [shadow]"),
        ("", ("--promote", "production"), "waits for the suite suites/model, you named shadow"),
    ],
)
def test_a_mistake_ends_the_session_with_one_message(
    shadowed: Project, change: str, options: tuple[str, ...], says: str
) -> None:
    text = (shadowed.root / "tunegate.toml").read_text("utf-8")
    shadowed.write(
        "tunegate.toml", text.replace('log = "logs/*.jsonl"', change) if change else text
    )
    told = shadowed.pytest("suites/shadow", "--model", "python:models:good", *options)
    assert told.code == 4
    assert says in " ".join(told.out.split())


def test_patterns_reach_into_folders_and_pass_over_these(shadowed: Project) -> None:
    (shadowed.root / "logs" / "2026" / "05").mkdir(parents=True)
    (shadowed.root / "logs" / "monday.jsonl").rename(shadowed.root / "logs/2026/05/monday.jsonl")
    for pattern in ("logs/**/*.jsonl", "logs/**"):
        text, _ = read_traffic(shadowed.root, [pattern], 1_000)
        assert len(text.splitlines()) == 600
    with pytest.raises(ConfigError, match="no request is there"):
        read_traffic(shadowed.root, ["logs/*"], 1_000)
    (shadowed.root / "logs" / "2026" / "05" / "monday.jsonl").rename(shadowed.root / "b.jsonl")
    _, about = read_traffic(shadowed.root, ["b.jsonl", "lgos/*"], 1_000)
    assert about.endswith("600 logged; 1 not read, the first lgos/*: no such file")


def test_production_keeps_its_name_where_it_was_asked_before() -> None:
    fixture: Any = runpy.run_path(str(ROOT / "suites" / "shadow" / "conftest.py"))["production"]
    rows = [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}]
    answers = [Prediction(0, 1, "a", "b", "b")]

    def ask(rows: Dataset, role: str) -> Predictions:
        return Predictions(answers[: len(rows)], model="promoted" if len(rows) else "")

    production = fixture.__wrapped__(Dataset.of(rows), ask)
    asked = Predictions(answers, model="candidate")
    assert [production(asked).model for _ in range(2)] == ["promoted", "promoted"]
