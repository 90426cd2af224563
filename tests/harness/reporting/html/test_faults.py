"""`tunegate report` where a run was tampered with, rolled back, promoted twice: what is true."""

from __future__ import annotations

import json
import os
import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tunegate.cli.main import main
from tunegate.reporting.html.gather import read_run
from tunegate.storage.registry import Registry

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.usefixtures("own_modules")


@pytest.fixture(scope="module")
def judged_once(trained_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose run was judged and promoted, for `judged` to copy."""
    made = trained_once.copied(tmp_path_factory.mktemp("judged") / "project")
    result = made.judge("--promote", "production")
    assert result.code == 0, result.out
    return made


@pytest.fixture
def judged(judged_once: Project, tmp_path: Path) -> Project:
    """A copy, yours to spoil."""
    return judged_once.copied(tmp_path / "project")


def told(project: Project, *args: str) -> str:
    """Return what a reader of the page reads, on one line."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(project.root)
        assert main(["report", *args, "-o", "page.html"]) == 0
    page = (project.root / "page.html").read_text("utf-8")
    body = page[page.index("<body>") :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body.replace("<wbr>", ""))).split())


@pytest.mark.parametrize("how", ["figure", "seal", "key"])
def test_a_run_that_nobody_sealed_here_does_not_verify(judged: Project, how: str) -> None:
    """Though no line of the registry is about it."""
    (judged.root / "registry.jsonl").unlink()
    record = judged.run / "run.json"
    if how == "figure":
        record.write_text(record.read_text().replace('"figures": {}', '"figures": {"loss": 0}'))
    elif how == "seal":
        record.write_text(re.sub(r'"seal": "\w+"', '"seal": ""', record.read_text()))
    else:
        (judged.root / ".tunegate" / "key").unlink()
    text = told(judged)
    assert "The gate is open, and nobody has promoted it." in text
    assert "model ✗ does not verify" in text
    assert "run.json was not written by a gate of this state tree, or was changed since" in text


def test_a_broken_promotion_is_not_hidden_behind_another_alias(judged: Project) -> None:
    path = judged.root / "registry.jsonl"
    line = json.loads(path.read_text())
    path.write_text(json.dumps(line | {"receipt": "0" * 64, "scorecard": "0" * 64}) + "\n")
    assert "promotion, line 1 of registry.jsonl ✗ does not verify" in told(judged)
    assert judged.judge("--promote", "staging").code == 0
    text = told(judged)
    assert "Promoted: production, staging" in text
    assert "1 link of the chain does not verify: promotion, line 1 of registry.jsonl." in text
    assert "promotion, line 2 of registry.jsonl ✓ verified" in text


def test_each_promotion_has_its_scorecard_looked_at(judged: Project) -> None:
    """The one it names, though another session has left a newer one since."""
    (first,) = judged.left("scorecards/*.json")
    judged.add("tunegate.toml", "[limits]\naccuracy = 0.5\n")
    assert judged.judge("--promote", "staging").code == 0
    assert told(judged).count("scorecard ✓ verified") == 2
    first.write_text(first.read_text().replace('"n": 6', '"n": 600'))
    assert "do not verify: scorecard, promotion, line 1 of registry.jsonl." in told(judged)


def test_after_a_rollback_the_time_away_is_told(judged: Project) -> None:
    """Where it has always stood, that is told still."""
    registry = Registry(judged.root)
    other = {"run": "another", "model": "m", "model_digest": "d"}
    (first,) = registry.entries()
    assert "production has stood on this run since " in told(judged)
    registry.append("promote", "production", other, "")
    registry.append("promote", "staging", first, "tried")
    registry.rollback("production", "the other one was slow")
    text = told(judged)
    came = r"was promoted to this run 20[\d :-]+UTC, and came back to it 20[\d :-]+UTC, by "
    assert re.search(rf"production {came}[^:]+: “the other one was slow”\.", text)
    assert "production has stood" not in text
    assert re.search(r"staging has stood on this run since 20[\d :-]+UTC, by [^:]+: “tried”", text)


def test_the_newest_scorecard_is_the_one_that_was_made_last(judged: Project) -> None:
    """Whatever its file's time: a copy, a checkout or a restore gives another."""
    (first,) = judged.left("scorecards/*.json")
    assert judged.judge("-k", "accuracy").code == 1
    (second,) = set(judged.left("scorecards/*.json")) - {first}
    card = json.loads(second.read_text())
    second.write_text(json.dumps(card | {"made": "2999-01-01T00:00:00+00:00"}))
    os.utime(second, (0, 0))
    found = read_run(judged.root, "latest")
    assert list(found.cards) == [first, second]
    assert found.card == found.cards[second]
