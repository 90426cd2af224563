"""Evaluations of models without a run: they are found by name, and their answers are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from counting import Counting, dataset
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cli.failures import write_failures
from tunegate.cli.main import main
from tunegate.errors import ConfigError
from tunegate.interfaces.model import Answer, Request
from tunegate.models.evaluation import (
    SCORECARD_KEYS,
    Evaluation,
    Json,
    find_judged,
    kept_predictions,
    read_scorecards,
)
from tunegate.models.predict import predict
from tunegate.results.labels import exact
from tunegate.storage.state_dir import Run, RunNotFound, StateDir
from tunegate.utils.files import sha256_file


def judge(state: StateDir, spec: str, made: str, digest: str = "d" * 64, name: str = "c") -> Run:
    """Write a scorecard about a model that belongs to no run."""
    card = dict.fromkeys(SCORECARD_KEYS) | {
        "candidate": spec,
        "model_digest": digest,
        "made": made,
        "test": {"digest": "t"},
    }
    evaluation = Evaluation.of(state, card)
    evaluation.scorecard_path(name).write_text(json.dumps(card))
    return evaluation


def finish(state: StateDir, name: str, made: str) -> Run:
    """Write the record of a finished run: what `find_finished` reads of it."""
    state.path("runs", name, "run.json").write_text(json.dumps({"made": made}))
    return Run(state, name)


def test_a_model_is_found_by_spec_by_id_and_as_the_latest(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    older = judge(state, "openai:a", "2026-01-01T00:00:00", "a" * 64)
    newer = judge(state, "openai:b", "2026-01-02T00:00:00", "b" * 64)
    assert older.id != newer.id
    for name, found in {
        "openai:a": older,
        "openai:b": newer,
        older.id[:6]: older,
        "latest": newer,
    }.items():
        assert find_judged(state, name).id == found.id
    judge(state, "openai:a", "2026-01-03T00:00:00", "c" * 64)  # other weights, the same spec
    found = find_judged(state, "openai:a")
    assert found.id not in (older.id, newer.id)
    assert (found.spec, str(found)) == ("openai:a", f"evaluation {found.id}")


def test_the_latest_is_what_was_trained_or_judged_last(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    run = finish(state, "abc", "2026-01-02T00:00:00")
    assert find_judged(state, "latest").id == "abc"
    evaluation = judge(state, "python:app:f", "2026-01-01T00:00:00")
    assert find_judged(state, "latest").id == "abc"
    judge(state, "python:app:f", "2026-01-03T00:00:00", name="d")
    assert find_judged(state, "latest").id == evaluation.id
    assert find_judged(state, "run:ab").id == "abc"
    (evaluation.folder / "scorecards" / "c.json").rename(run.scorecard_path("e"))
    card = json.loads((run.folder / "scorecards" / "e.json").read_text())
    run.scorecard_path("e").write_text(json.dumps(card | {"made": "2026-01-04T00:00:00"}))
    assert find_judged(state, "latest").id == "abc"  # judged again since


def test_a_name_that_fits_nothing_is_told_what_there_is(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    with pytest.raises(RunNotFound, match="models judged without a run: none"):
        find_judged(state, "latest")
    judge(state, "openai:gpt", "2026-01-01T00:00:00")
    for name in ("openai:gtp", "", "run:x"):
        with pytest.raises(RunNotFound, match=r"models judged without a run: openai:gpt$"):
            find_judged(state, name)


def test_a_harmed_scorecard_is_one_line_and_hides_no_run(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    finish(state, "abc", "2026-01-02T00:00:00")
    judge(state, "x", "2026-01-01T00:00:00").scorecard_path("c").write_text("{}")
    assert find_judged(state, "abc").id == "abc"
    with pytest.raises(ConfigError, match=r"c\.json is not what tunegate wrote there"):
        find_judged(state, "latest")


def test_what_was_asked_is_kept_and_nothing_else(tmp_path: Path) -> None:
    """Of the rows that were drawn, each repetition; and nothing is asked."""
    state, test, model = StateDir(tmp_path), dataset(9), Counting()
    asked = predict(model, test.drawn(4), state, times=2)
    assert len(asked) == 4
    assert [[*map(len, asked.repetitions)], len(model.asked)] == [[4, 4], 8]
    card: Json = {"model_digest": model.digest, "candidate": "counting"}
    card |= {"limit": {"rows": 4, "of": 9}, "repeat": {"times": 2, "temperature": None}}
    evaluation = judge(state, "counting", "2026-01-01T00:00:00")
    kept = kept_predictions(evaluation, card, test)
    assert kept is not None
    assert [*kept] == [*asked]
    assert [[*r] for r in kept.repetitions] == [[*r] for r in asked.repetitions]
    assert len(model.asked) == 8
    assert kept_predictions(evaluation, card | {"model_digest": "e"}, test) is None


def test_the_answers_of_a_file_are_in_the_file(tmp_path: Path) -> None:
    state, test = StateDir(tmp_path), dataset(2)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"}\n')
    card = {"model_digest": sha256_file(path), "candidate": "file:a.jsonl"}
    kept = kept_predictions(Evaluation(state, "e"), card, test)
    assert kept is not None
    assert [p.got for p in kept] == ["a", "b"]
    path.write_text('{"text": "b"}\n{"text": "b"}\n')
    assert kept_predictions(Evaluation(state, "e"), card, test) is None
    path.unlink()
    assert kept_predictions(Evaluation(state, "e"), card, test) is None


@given(st.integers(1, 30), st.data())
def test_rows_are_drawn_the_same_each_time_and_more_of_them_hold_the_fewer(
    n: int, data: st.DataObject
) -> None:
    test = dataset(n)
    more = data.draw(st.integers(1, n + 3))
    fewer = data.draw(st.integers(1, more))
    rows = [e.row for e in test.drawn(more)]
    assert rows == sorted({*rows}) == [e.row for e in test.drawn(more)]
    assert len(rows) == min(n, more)
    assert {e.row for e in test.drawn(fewer)} <= {*rows}
    assert test.drawn(more).digest == test.digest


def test_scorecards_are_read_by_when_they_were_made(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    judge(state, "x", "2026-01-02T00:00:00", name="first")
    evaluation = judge(state, "x", "2026-01-01T00:00:00", name="second")
    assert [path.stem for path in read_scorecards(evaluation)] == ["second", "first"]


class Flaky(Counting):
    """A model that is right the first time that it is asked, and wrong about row 1 later."""

    digest = "f" * 64

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for answer, request in zip(super().answers(requests), reversed(requests), strict=True):
            later = request.repetition and request.row == 1
            yield replace(answer, text="?") if later else answer


def test_a_row_that_was_wrong_once_is_written_with_how_often_it_was_right(tmp_path: Path) -> None:
    state, test = StateDir(tmp_path), dataset(3)
    predict(Flaky(), test, state, times=3)
    evaluation = judge(state, "python:app:flaky", "2026-01-01T00:00:00", Flaky.digest)
    path = evaluation.scorecard_path("c")
    repeat = {"repeat": {"times": 3, "temperature": 0}, "test": {"digest": test.digest}}
    path.write_text(json.dumps(json.loads(path.read_text()) | repeat))
    out = tmp_path / "wrong.jsonl"
    wrong, answers = write_failures(state, "python:app:flaky", out, test, exact)
    assert (len(wrong), len(answers), len(answers.repetitions)) == (1, 3, 3)
    row = json.loads(out.read_text())
    assert (row["line"], row["got"], row["right"]) == (2, "?", "1 of 3")


def test_the_history_of_a_model_is_when_it_was_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tunegate.toml").touch()
    monkeypatch.chdir(tmp_path)
    judge(StateDir(tmp_path), "openai:gpt", "2026-01-01T00:00:00")
    for name in ("openai:gpt", "latest"):
        assert main(["registry", "history", name]) == 0
        assert capsys.readouterr().out == "2026-01-01T00:00:00  judged    openai:gpt  gate None\n"
    assert main(["registry", "history", "openai:gtp"]) == 2
    assert "models judged without a run: openai:gpt" in capsys.readouterr().err
