"""The parts of a report, each from values: what is said where something is missing or unusual."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from predicted import predicted

from tunegate import Predictions
from tunegate.reporting.html import text
from tunegate.reporting.html.gather import RunFiles, read_run
from tunegate.reporting.html.render import render_html
from tunegate.reporting.html.sections import (
    ANSWERS_CHANGED,
    MAX_REASONING,
    NO_ANSWERS,
    NO_CURVES,
    NO_RECEIPT,
    TRAINED_ELSEWHERE,
    answer_rows,
    misses_section,
    scores_section,
    suite_section,
    training_section,
)
from tunegate.reporting.html.verdict import chain_links, promotion_link, verdict_section
from tunegate.storage.registry import Registry, RegistryEntry

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.usefixtures("own_modules")
SCORE = {
    **{"name": "accuracy", "value": 0.9, "low": 0.8, "high": 0.95, "hits": 9, "n": 10},
    **{"sign": ">=", "limit": 0.85, "held": True, "errors": 1, "signature": "label", "line": "x"},
    **{"test": "suites/model/test_q.py::test_accuracy", "hints": [], "detail": "a  1\nb  2"},
}
CARD: dict[str, Any] = {
    **{"model_digest": "feed", "gate": "open", "made": "2026-01-02T03:04:05+00:00"},
    **{"test": {"digest": "beef" * 16, "n": 12}, "inventory": [SCORE["test"]], "removed": []},
    **{"predictions": {"model": "m", "n": 12, "right": 10, "errors": 1}, "baseline": None},
    **{"incumbent": None, "scores": [SCORE], "missed": [], "troubles": {}},
}


@pytest.fixture
def found(trained: Project) -> RunFiles:
    """A run that was never judged."""
    return read_run(trained.root, "latest")


def shown(found: RunFiles, **changes: Any) -> SimpleNamespace:
    """Return the scores of a card like CARD."""
    made = scores_section(replace(found, card=CARD | changes))
    assert isinstance(made, SimpleNamespace)
    return made


def test_a_score_is_told_with_all_that_it_means(found: RunFiles) -> None:
    (row,) = shown(found).rows
    told = (row.name, row.value, row.interval, row.limit, row.n, row.errors, row.outcome)
    assert told == ("accuracy", "90.0%", "80.0% - 95.0%", ">= 85%", "10", "1", "holds")
    assert row.bar is not None
    assert (
        row.bar.description == "accuracy: 90.0%, 95 % interval 80.0% - 95.0%, limit >= 85%: holds"
    )
    assert shown(found).details == (("accuracy", "a  1\nb  2"),)
    assert shown(found).tests == (("q", "accuracy"),)


@pytest.mark.parametrize(
    ("changes", "tone", "outcome"),
    [
        ({"held": False}, "bad", "missed"),
        ({"held": None}, "bad", "unmeasurable"),
        ({"limit": None}, "plain", "no limit"),
    ],
)
def test_the_outcome_of_a_score(
    found: RunFiles, changes: dict[str, Any], tone: str, outcome: str
) -> None:
    (row,) = shown(found, scores=[], missed=[SCORE | changes]).rows
    assert (row.tone, row.outcome) == (tone, outcome)


def test_what_there_was_nothing_to_judge_of_is_no_row(found: RunFiles) -> None:
    idle = SCORE | {"value": None, "limit": None, "idle": ["no cost was told"]}
    made = shown(found, scores=[idle])
    assert (made.rows, made.not_applicable) == ((), ("accuracy: no cost was told",))


def test_only_the_first_hints_are_shown_as_on_the_terminal(found: RunFiles) -> None:
    (row,) = shown(found, scores=[SCORE | {"hints": list("abcdef")}]).rows
    assert row.hints == ["a", "b", "c", "3 more like this"]


def test_what_failed_without_a_score_is_named(found: RunFiles) -> None:
    finding = {"test": "t::x", "held": False, "line": "<memory: 3 verbatim>", "name": "memory"}
    card = CARD | {"gate": "1 failed: t::x", "missed": [finding], "troubles": {"t::x": "failed"}}
    assert shown(found, **card).not_passed == (("t::x", "failed", "<memory: 3 verbatim>"),)
    said = verdict_section(replace(found, card=card), [])
    assert said.sentences == ("The model suite closed the gate: 1 failed: t::x.",)


def test_of_thousands_of_tests_the_first_are_named(found: RunFiles) -> None:
    """`--each-example` makes a test of each row."""
    tests = [f"suites/model/test_each.py::test_right[{n}]" for n in range(3000)]
    notes = [{"test": tests[0], "held": False, "line": "wrong"}] * 3
    idle = SCORE | {"value": None, "limit": None}
    card = {"missed": notes, "troubles": dict.fromkeys(tests, "failed"), "inventory": tests}
    made = shown(found, **card, scores=[idle] * 300)
    assert (len(made.not_passed), made.more) == (10, "2,990 more")
    assert made.not_passed[0] == (tests[0], "failed", "wrong (3 times)")
    assert made.not_applicable == ("accuracy (300 times)",)
    ((_, named),) = made.tests
    assert named.endswith("right[49], 2,950 more")
    assert shown(found, troubles=dict.fromkeys(tests[:10], "failed")).more == ""


def test_what_a_data_test_says_again_and_again_is_counted(found: RunFiles) -> None:
    assert found.receipt is not None
    note = {"name": "find", "split": "train", "held": True, "found": 0, "n": 20}
    tests = {f"t.py::test_it[{n}]": [note] for n in range(300)}
    tests["t.py::test_it[last]"] = [note | {"found": n} for n in range(1, 13)]
    made = suite_section(replace(found, receipt=found.receipt | {"tests": tests}))
    assert isinstance(made, SimpleNamespace)
    ((_, _, (cell,)),) = made.rows
    assert cell.startswith("0 in 20 (300 times); 1 in 20; ")
    assert cell.endswith("; 9 in 20; 3 more")


def test_a_scorecard_from_before_there_were_missed_scores(found: RunFiles) -> None:
    card = {k: v for k, v in CARD.items() if k not in ("missed", "troubles")}
    made = scores_section(replace(found, card=card | {"gate": "1 failed: t"}))
    assert isinstance(made, SimpleNamespace)
    assert made.intro.endswith("Gate closed: 1 failed: t.")


def test_without_a_receipt_or_answers(found: RunFiles) -> None:
    assert suite_section(replace(found, receipt=None)) == NO_RECEIPT
    broken = [link for link in chain_links(replace(found, receipt=None)) if link.holds is False]
    assert [link.name for link in broken] == ["receipt"]
    judged = replace(found, card=CARD)
    assert misses_section(replace(judged, test=found.run.data("test"))) == NO_ANSWERS
    styled = found.config.model_copy(update={"task": "style"})
    assert "the task here is style" in str(misses_section(replace(judged, config=styled)))


@pytest.mark.parametrize("task", ["classification", "tools"])
def test_the_reasoning_of_an_answer_is_shown_masked(found: RunFiles, task: str) -> None:
    """Masked first and cut then, so that no half of a value is left at the cut."""
    said = f"{'so ' * 1330}\nmail ana@example.com"
    wrong, right = predicted([("a", "b"), ("a", "a")])
    answers = Predictions([replace(wrong, reasoning=said), replace(right, reasoning="sure")])
    of_task = replace(found, config=found.config.model_copy(update={"task": task}))
    rows = answer_rows(of_task, answers, {0: "lost"})
    line, outcome, change, label, expected, got, _, reasoning = rows[0]
    assert (line, outcome, change, label, expected, got) == ("1", "wrong", "lost", "a", "a", "b")
    assert len(reasoning) == MAX_REASONING
    assert reasoning.endswith("so \nmail *...")
    assert (rows[1][1], rows[1][2], rows[1][-1]) == ("right", "", "sure")
    html = render_html("answers.html", rows=rows, title="x", report="y").decode()
    assert html.count("<details><summary>reasoning</summary><pre><bdi>") == 2


def test_every_time_that_a_row_was_asked_is_an_answer(found: RunFiles) -> None:
    """And what could not be had is an error; of free text nobody says whether it is right."""
    first, again = predicted([("a", "b"), ("a", "a")]), predicted([("a", "a"), ("a", "a")])
    times = [Predictions(first), Predictions([*again[:1], replace(again[1], error="timeout")])]
    outcomes = [row[:2] for row in answer_rows(found, Predictions.repeated(times), {})]
    assert outcomes == [["1", "wrong"], ["1", "right"], ["2", "right"], ["2", "error"]]
    free = replace(found, config=found.config.model_copy(update={"task": "text"}))
    assert {row[1] for row in answer_rows(free, times[0], {})} == {"answered"}


def test_answers_that_do_not_add_up_are_not_shown(trained: Project) -> None:
    trained.judge()
    found = read_run(trained.root, "latest")
    assert found.card is not None
    counts = found.card["predictions"] | {"right": 3}
    assert (
        misses_section(replace(found, card=found.card | {"predictions": counts})) == ANSWERS_CHANGED
    )


def test_accepted_findings_and_limits(found: RunFiles) -> None:
    assert found.receipt is not None
    one = dict.fromkeys(("id", "check", "kind", "where", "evidence", "why", "who"), "x")
    limits = {"accuracy": 0.9, "own": {"tone": 0.5}, "flips": None, "pii_allow": []}
    made = suite_section(
        replace(found, receipt=found.receipt | {"accepted": [one], "limits": limits})
    )
    assert isinstance(made, SimpleNamespace)
    assert made.accepted == [one]
    assert made.limits == (("accuracy", "0.9"), ("own: tone", "0.5"))
    assert made.unset == ("flips",)
    rows = {test: cells for _, test, cells in made.rows}
    assert made.splits == ("train", "validation", "test", "")
    assert rows == {"rows": ("0 in 20", "0 in 6", "0 in 6", ""), "size": ("", "", "", "passed")}


def test_trained_elsewhere_is_said_first(trained: Project) -> None:
    found = read_run(trained.root, "latest")
    word = "trained elsewhere; on the word of ana: that it was trained on these bytes"
    record = found.record | {"figures": {"word": word, "trained": "elsewhere", "loss": 0.5}}
    found.run.state.write_sealed(found.run.folder / "run.json", record)
    found = read_run(trained.root, "latest")
    assert verdict_section(found, []).warnings == (f"T{word[1:]}.",)
    made = training_section(found)
    assert (made.charts, made.figures) == (TRAINED_ELSEWHERE, (("loss", "0.5"),))
    assert all(link.holds for link in chain_links(found))


def test_curves_with_the_step_that_was_kept(found: RunFiles) -> None:
    assert training_section(found).charts == NO_CURVES
    lines = [f'{{"step": {n}, "train_loss": {9 - n}}}\n' for n in range(1, 9)]
    (found.run.folder / "curves.jsonl").write_text("".join(lines[:4]))
    (found.run.folder / "curves-beyond.jsonl").write_text("".join(lines[4:]))
    figures = {"kept_step": 4, "kept_epoch": 2, "epochs": 4}
    made = training_section(replace(found, record=found.record | {"figures": figures}))
    assert made.kept_epoch == "kept: epoch 2 of 4"
    wide, narrow = made.charts
    assert not isinstance(wide, str)
    assert (wide.width, [line.after_kept for line in wide.lines]) == (1040, [False, True])
    assert wide.kept_x == wide.lines[0].points[-1][0]
    assert wide.description == "training loss from 8 to 5 at step 4."
    assert narrow != wide


def test_a_run_that_another_one_has_replaced(trained: Project) -> None:
    registry = Registry(trained.root)
    for name in (trained.run.name, "another"):
        facts = {"run": name, "model": "m", "model_digest": "d"}
        registry.append("promote", "production", facts, "because")
    found = read_run(trained.root, "latest")
    said = verdict_section(replace(found, card=CARD), [])
    assert said.headline == "Not promoted any more"
    assert said.sentences[0].endswith("; now it stands on run another.")
    link = list(chain_links(found))[-1]
    assert (link.name, link.holds) == ("promotion, line 1 of registry.jsonl", False)
    assert "it names another receipt than the run has" in link.explanation
    edited = RegistryEntry(found.entries[0] | {"why": "another reason"})
    link = promotion_link(replace(found, entries=[edited]), edited)
    assert link.explanation.startswith("it is not as tunegate wrote it here: it was edited since; ")


def test_data_that_was_removed_is_told_from_data_that_was_changed(trained: Project) -> None:
    snapshots = trained.root / ".tunegate" / "snapshots"
    found = read_run(trained.root, "latest")
    assert found.receipt is not None
    names = {split: one["digest"] for split, one in found.receipt["data"].items()}
    (snapshots / f"{names['train']}.jsonl").unlink()
    (snapshots / f"{names['test']}.jsonl").write_text("{}")
    holds = {link.name: link.holds for link in chain_links(found)}
    data = [holds[f"{split} data"] for split in ("train", "validation", "test")]
    assert data == [None, True, False]


def test_a_model_that_cannot_be_opened_is_not_called_false(trained: Project) -> None:
    found = read_run(trained.root, "latest")
    (found.run.folder / "toy.txt").unlink()
    (model,) = [link for link in chain_links(found) if link.name == "model"]
    assert model.holds is None
    assert model.explanation.startswith("cannot be opened: FileNotFoundError")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "none"),
        (True, "yes"),
        (1657152, "1,657,152"),
        (4e-3, "0.004"),
        (7.359683274012531, "7.36"),
        (["q_proj", "v_proj"], "q_proj, v_proj"),
        ([], "none"),
        ("", "none"),
        ({}, "none"),
        ("nf4", "nf4"),
    ],
)
def test_settings_and_figures_as_a_person_reads_them(value: Any, expected: str) -> None:
    assert text.value_text(value) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("folder:.tunegate/runs/a/adapter", "folder:.tunegate/runs/a/adapter"),
        ("folder:/home/ana/models/base?max_new_tokens=8", "folder:base?max_new_tokens=8"),
        ("/home/ana/models/base", "base"),
        ("/work/project/models/base", "models/base"),
        ("openai:ft:gpt?base_url=https://host/v1", "openai:ft:gpt?base_url=https://host/v1"),
        ("Qwen/Qwen3-1.7B", "Qwen/Qwen3-1.7B"),
        ("folder:base?lora=/home/ana/my x&of=~/y&n=8", "folder:base?lora=my x&of=y&n=8"),
        ("folder:/home/ana/my models/base", "folder:base"),
        ("file:///home/ana/x", "file://x"),
        ("file:///work/project/x", "file://x"),
        ("https://ana:pass@host/v1", "https://***"),
        ("km / h", "km / h"),
    ],
)
def test_no_path_of_this_machine(spec: str, expected: str) -> None:
    assert text.public_name(spec, Path("/work/project")) == expected


def test_no_secret_among_the_settings(found: RunFiles) -> None:
    key = "sk-abcdefghijklmnopqrstuvwxyz123456"
    config = {
        **{"api_key": "x", "Key": 1234, "max_tokens": 8, "hf_token": "x", "use_key": False},
        **{"password": {"a": ["x", {"b": "x"}]}, "deep": [{"secret": "x", "lr": 0.1}]},
        **{"args": ["--with", key], "out": ["/home/ana/x", {"in": "file:///home/ana/y"}]},
        **{"mail": "write to ana@example.com", "base": "toy:base", "token": None},
    }
    found.run.__dict__["intent"] = found.run.intent | {"config": config}
    record = found.record | {"figures": {"log": "/home/ana/log.txt", "key": "x", "loss": 0.5}}
    made = training_section(replace(found, record=record))
    assert dict(made.settings) == {
        **{"api key": "***", "Key": "***", "max tokens": "8", "hf token": "***", "use key": "no"},
        **{"password": "{'a': ['***', {'b': '***'}]}", "deep": "{'secret': '***', 'lr': 0.1}"},
        **{"args": "--with, ***", "out": "x, {'in': 'file://y'}", "mail": "write to ***"},
        **{"base": "toy:base", "token": "none"},
    }
    assert dict(made.figures) == {"log": "log.txt", "key": "***", "loss": "0.5"}
