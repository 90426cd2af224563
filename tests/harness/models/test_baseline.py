"""The baseline is counted by the project's label rule, by whichever process measures it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from counting import Counting, dataset

from tunegate.config.schema import load
from tunegate.interfaces.model import Budget
from tunegate.models.baseline import measure_baseline, recall_baseline
from tunegate.models.spec import Candidate
from tunegate.results.labels import LabelRule, exact, label_rule
from tunegate.session.open_models import SessionModels
from tunegate.storage.seal import SealBroken
from tunegate.storage.state_dir import StateDir
from tunegate.utils.progress import Progress

if TYPE_CHECKING:
    from conftest import Project

ANY_LABEL = 'label = "regex:(x?)"\n'  # every text has the label ""


@pytest.mark.parametrize(("rule", "right"), [(exact, 4), (label_rule("json:label"), 0)])
def test_it_is_counted_by_the_rule_that_is_given(
    tmp_path: Path, rule: LabelRule, right: int
) -> None:
    state, test = StateDir(tmp_path), dataset(4)
    measure_baseline(Counting(), "toy:base", test, rule, state, lambda *_: None)
    record = recall_baseline(state, "toy:base", test.identity)
    assert record == {
        **{"model": "toy:base", "digest": Counting.digest, "test": test.digest},
        **{"n": 4, "right": right, "errors": 0},
    }


def test_a_session_counts_it_by_its_own_configuration(tmp_path: Path) -> None:
    @contextmanager
    def no_bar(description: str) -> Iterator[Progress]:
        yield lambda *_: None

    (tmp_path / "tunegate.toml").write_text('label = "json:label"\nbaseline = "toy:base"\n')
    config, state, test = load(tmp_path), StateDir(tmp_path), dataset(4)
    (tmp_path / "tunegate.toml").unlink()  # it is not read again
    openers = {"toy": lambda rest, root: Counting()}
    models = SessionModels(
        tmp_path, config, Candidate("toy:x", None), "production", openers, Budget(), state, no_bar
    )
    assert len(models.predictions("baseline", test)) == 4
    record = recall_baseline(state, "toy:base", test.identity)
    assert record is not None
    assert record["right"] == 0


def test_the_child_that_trains_counts_it_by_the_project_s_rule(project: Project) -> None:
    project.write("tunegate.toml", ANY_LABEL + (project.root / "tunegate.toml").read_text())
    trained = project.gate()
    assert trained.line("baseline") == "6 of 6 answers right (100.0%)"
    assert json.loads((project.run / "run.json").read_text())["baseline"]["right"] == 6


def test_a_record_that_was_edited_or_has_no_seal(tmp_path: Path) -> None:
    """One without a seal is of an older version; a new run does not rest on it."""
    state, test = StateDir(tmp_path), dataset(4)
    measure_baseline(Counting(), "toy:base", test, exact, state, lambda *_: None)
    (path,) = (state.folder / "baselines").iterdir()
    record = json.loads(path.read_text())
    for edited in ({**record, "right": 0}, {**record, "seal": "0" * 64}, [], {"seal": 1}):
        path.write_text(json.dumps(edited))
        with pytest.raises(SealBroken, match=r"remove .* it is measured again|not written by"):
            recall_baseline(state, "toy:base", test.identity)
    del record["seal"]
    for written, is_one in ((record, True), ({}, False), ({"n": 4}, False)):
        path.write_text(json.dumps(written))
        assert (recall_baseline(state, "toy:base", test.identity) is not None) is is_one
        assert recall_baseline(state, "toy:base", test.identity, sealed=True) is None
