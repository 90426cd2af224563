"""`[readiness] gate = true`: nothing is trained without the verdict "fine-tune" on these rows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tunegate.storage.state_dir import StateDir

if TYPE_CHECKING:
    from conftest import Project


def advised(project: Project, verdict: str, **told: Any) -> None:
    """Leave what `pytest suites/readiness` leaves."""
    files = {split: project.root / f"{split}.jsonl" for split in ("train", "validation")}
    digests = {s: hashlib.sha256(path.read_bytes()).hexdigest() for s, path in files.items()}
    state = StateDir(project.root)
    body = {"verdict": verdict, "why": "few: accuracy 98.0%", **digests, **told}
    state.write_sealed(state.path("readiness.json"), body)


def test_the_gate_is_closed_until_the_verdict_is_fine_tune(project: Project) -> None:
    project.add("tunegate.toml", "[readiness]\ngate = true\n")
    lacks = (
        "[readiness] gate = true, and no verdict on these rows is there: pytest suites/readiness"
    )
    result = project.gate()
    assert result.code == 1
    assert result.line("gate      closed, nothing was trained:") == lacks
    advised(project, "prompt")
    said = project.gate().line("gate      closed, nothing was trained:")
    assert said == "the verdict of pytest suites/readiness is prompt: few: accuracy 98.0%"
    advised(project, "fine-tune", validation="0" * 64)
    assert project.gate().line("gate      closed, nothing was trained:") == lacks
    assert project.left("run.json") == []
    advised(project, "fine-tune")
    assert project.gate().code == 0
    assert len(project.left("run.json")) == 1


def test_without_the_setting_it_is_advice(project: Project) -> None:
    advised(project, "prompt")
    assert project.gate().code == 0


def test_a_failed_test_is_told_first(project: Project) -> None:
    project.add("tunegate.toml", "[readiness]\ngate = true\n")
    project.write("suites/data/test_more.py", "def test_more(): assert 0\n")
    assert "1 failed" in project.gate().line("gate      closed, nothing was trained:")


def test_a_verdict_that_was_edited_or_is_of_an_older_version_counts_for_nothing(
    project: Project,
) -> None:
    project.add("tunegate.toml", "[readiness]\ngate = true\n")
    advised(project, "prompt")
    path = project.root / ".tunegate" / "readiness.json"
    text = path.read_text().replace('"prompt"', '"fine-tune"')
    path.write_text(text)
    result = project.gate()
    assert result.code == 1
    assert "was changed since; pytest suites/readiness" in result.out
    path.write_text(text.replace('"seal"', '"no"'))
    assert "no verdict on these rows" in project.gate().line(
        "gate      closed, nothing was trained:"
    )
    assert project.left("run.json") == []
