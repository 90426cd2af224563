"""`tunegate report` on odd figures and files: a page that is true, or one line that says why."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.cli.main import main
from tunegate.reporting.html.gather import RunFiles, read_run
from tunegate.reporting.html.sections import scores_section
from tunegate.reporting.html.verdict import closing_reasons
from tunegate.results.outcome import collect_outcomes
from tunegate.results.score import Score, Unmeasurable

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.usefixtures("own_modules")
Out = pytest.CaptureFixture[str]
CARD: dict[str, Any] = {
    **{"model_digest": "feed", "gate": "1 failed: t::x", "made": "2026-01-02T03:04:05+00:00"},
    **{"test": {"digest": "beef" * 16, "n": 12}, "inventory": ["t::x"], "removed": []},
    **{"predictions": None, "baseline": None, "incumbent": None},
    **{"scores": [], "missed": [], "troubles": {"t::x": "failed"}},
}


@pytest.fixture
def found(trained: Project) -> RunFiles:
    """A run that was never judged."""
    return read_run(trained.root, "latest")


def judged(found: RunFiles, **changes: Any) -> SimpleNamespace:
    """Return the scores of a card like CARD."""
    made = scores_section(replace(found, card=CARD | changes))
    assert isinstance(made, SimpleNamespace)
    return made


def note(value: float, sign: str, limit: float | None, **facts: Any) -> dict[str, Any]:
    """Return what a real judgement leaves in a scorecard, read back from JSON."""
    score = Score(value, name="speed", **facts)
    with collect_outcomes() as judgements, suppress(Unmeasurable):
        bool(score <= limit if sign == "<=" else score >= limit)  # type: ignore[operator]
    plain: dict[str, Any] = json.loads(json.dumps({"test": "t::x", **judgements[0].to_dict()}))
    return plain


def row(found: RunFiles, **changes: Any) -> SimpleNamespace:
    """Return the one row of a card."""
    made = judged(found, **changes)
    assert made.not_applicable == ()
    (only,) = made.rows
    return only


@pytest.mark.parametrize("limit", [float("inf"), -float("inf"), 1e307])
def test_a_limit_without_an_end_is_told_and_not_drawn(found: RunFiles, limit: float) -> None:
    kept = note(0.5, "<=", limit, low=0.4, high=0.6, n=9)
    shown = row(found, scores=[kept])
    assert shown.limit == f"<= {limit:g}"
    assert shown.bar is not None
    assert (shown.bar.limit, shown.bar.refused) == (None, None)
    assert row(found, scores=[note(0.5, "<=", limit)]).bar is None


@pytest.mark.parametrize(
    ("value", "sign", "outcome"),
    [("inf", "<=", "missed"), ("inf", ">=", "holds"), ("nan", ">=", "unmeasurable")],
)
def test_a_score_that_is_no_number_is_judged_all_the_same(
    found: RunFiles, value: str, sign: str, outcome: str
) -> None:
    shown = row(found, missed=[note(float(value), sign, 2.0)])
    assert (shown.name, shown.limit) == (f"speed {value} {sign} 2", f"{sign} 2")
    assert (shown.value, shown.outcome, shown.bar) == ("not a number", outcome, None)


def test_no_limit_and_no_number_is_nothing_to_judge(found: RunFiles) -> None:
    made = judged(found, scores=[note(float("nan"), ">=", None)])
    assert (made.rows, made.not_applicable) == ((), ("speed",))


def test_a_score_that_is_no_number_is_why_the_gate_was_closed() -> None:
    card = CARD | {"missed": [note(float("inf"), "<=", 2.0), note(0.5, ">=", 0.9)]}
    told = "speed inf <= 2 did not hold; speed is 0.5000, the limit >= 0.9"
    assert closing_reasons(card) == told


def lines(project: Project, out: Out, *args: str) -> list[str]:
    """Return what `tunegate report` says of a mistake."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(project.root)
        assert main(["report", *args]) == 2
    return out.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("intent.json", "{}"),
        ("intent.json", "{"),
        ("intent.json", {"newer": 1}),
        ("run.json", "[" * 100_000),
        ("receipt.json", {"tests": {"t::x": [{"value": 0.5}]}}),
        ("receipt.json", {"tests": {"t::x": [{"found": 1}]}}),
        ("receipt.json", {"data": {"train": 1}}),
        ("scorecards/feed.json", CARD | {"scores": [{"value": 0.5, "name": "speed"}]}),
        ("scorecards/feed.json", CARD | {"scores": [1]}),
        ("curves.jsonl", b"\xff\n"),
    ],
)
def test_a_file_that_tunegate_did_not_write_is_one_line(
    trained: Project, name: str, text: Any, capsys: Out
) -> None:
    path = trained.run / name
    path.parent.mkdir(exist_ok=True)
    if isinstance(text, dict):
        path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | text))
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (said,) = lines(trained, capsys)
    named = f"{trained.run}: a file there is not what tunegate wrote ("
    assert named in said or f"{path} is not what tunegate wrote there: it cannot be read" in said
    assert len(said) < 500


def test_readings_that_are_none_are_passed_over(trained: Project) -> None:
    readings = [
        1,
        [2],
        *({"step": n, "train_loss": n // 3 * 10**400 or 1} for n in (1, 2, 3)),
        None,
    ]
    (trained.run / "curves.jsonl").write_text("\n".join(map(json.dumps, readings)))
    assert page(trained).count("training loss from 1 to 1 at step 2") == 2


def page(project: Project, *args: str) -> str:
    """Return the page, entities and all."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(project.root)
        assert main(["report", *args, "-o", "page.html"]) == 0
    return (project.root / "page.html").read_text("utf-8")


@pytest.mark.parametrize("key", ["when", "who", "alias", "action"])
def test_a_line_of_the_registry_that_lacks_something(trained: Project, key: str) -> None:
    """The rest of the page is there: only of the promotion nobody can tell."""
    line = {"action": "promote", "alias": "a", "who": "w", "when": "2026-01-01", "previous": ""}
    line |= {"run": trained.run.name}
    (trained.root / "registry.jsonl").write_text(json.dumps(line | {key: 1}) + "\n")
    text = page(trained)
    assert "the registry is broken" in text
    assert f"registry.jsonl, line 1: it does not say {key}." in text


def test_a_line_of_the_registry_needs_no_reason(trained: Project) -> None:
    line = {"action": "promote", "alias": "a", "who": "w", "when": "2026-01-01", "previous": ""}
    entry = json.dumps(line | {"run": trained.run.name})
    (trained.root / "registry.jsonl").write_text(entry + "\n")
    assert "no reason given" in page(trained)


def test_an_accepted_finding_of_a_receipt_may_lack_what_it_was_accepted_for(
    trained: Project,
) -> None:
    path = trained.run / "receipt.json"
    receipt = json.loads(path.read_text())
    receipt["accepted"] = [{"check": "pii", "kind": "email", "id": "0123456789ab"}]
    path.write_text(json.dumps(receipt))
    assert "0123456789ab" in page(trained)


def test_a_folder_is_no_page_of_answers(trained: Project, capsys: Out) -> None:
    (trained.root / "page-answers.html").mkdir()
    (said,) = lines(trained, capsys, "-o", "page.html")
    assert "page-answers.html is there and is no HTML page: not replaced" in said


def test_a_registry_that_rolls_back_what_was_never_promoted(trained: Project) -> None:
    line = {"action": "rollback", "alias": "a", "who": "w", "when": "2026-01-01", "previous": ""}
    (trained.root / "registry.jsonl").write_text(json.dumps(line) + "\n")
    assert "more is rolled back in it than was promoted" in page(trained)


@pytest.mark.parametrize("name", ["registry.jsonl", "train.jsonl", "empty"])
def test_what_is_no_page_is_not_replaced(trained: Project, name: str, capsys: Out) -> None:
    before = "" if name == "empty" else "kept\n"
    trained.write(name, before)
    (said,) = lines(trained, capsys, "-o", name)
    assert said.endswith(f"{name} is there and is no HTML page: not replaced; name another file")
    assert (trained.root / name).read_text() == before


def test_a_page_is_replaced_by_a_page(trained: Project) -> None:
    trained.write("page.html", "<!doctype HTML><p>of yesterday")
    assert "of yesterday" not in page(trained)
    assert "of yesterday" not in page(trained)  # what we write we know again
