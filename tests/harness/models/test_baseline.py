"""The baseline is counted by the project's label rule, by whichever process measures it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest
from counting import Counting, dataset
from hypothesis import given
from hypothesis import strategies as st

from tunegate.config.schema import load
from tunegate.interfaces.model import Budget
from tunegate.models.evaluation import measure_baseline, recall_baseline
from tunegate.models.spec import Candidate, with_query
from tunegate.results.labels import LabelRule, exact, label_rule
from tunegate.session.open_models import SessionModels
from tunegate.storage.state_dir import SealBroken, StateDir
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


def test_the_base_is_asked_with_the_decoding_of_the_candidate(tmp_path: Path) -> None:
    """Else its answers are cut where those of the candidate are not, and count as wrong."""
    run: Any = SimpleNamespace(plan=SimpleNamespace(base="toy:base?length=8&kind=b"))
    for checkpoint, base in {
        "": "toy:base?length=8&kind=b",
        "merged": "toy:base?length=8&kind=b",
        "merged?length=400": "toy:base?kind=b&length=400",
        "?a=1&length=400": "toy:base?a=1&kind=b&length=400",
    }.items():
        candidate = Candidate("toy:x", run, "", checkpoint)
        parts: Any = [tmp_path, None, candidate, "production", {}, Budget(), None, None]
        assert SessionModels(*parts).spec("baseline") == candidate.base == base


@given(st.dictionaries(st.text("abc%=&+ é", min_size=1), st.text("12%=&+ é")), st.randoms())
def test_the_order_of_a_query_is_of_no_account(settings: dict[str, str], random: Random) -> None:
    pairs = list(settings.items())
    random.shuffle(pairs)
    spec = with_query("folder:m", urlencode(pairs))
    assert spec == with_query("folder:m", urlencode(settings))
    assert with_query(spec, urlencode(pairs)) == spec
    assert dict(parse_qsl(spec.partition("?")[2], keep_blank_values=True)) == settings


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
