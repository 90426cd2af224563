"""What the configuration says of labels, groups and times holds wherever a row is read."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from tunegate.checking.parallel import split_into_chunks
from tunegate.config.schema import Config
from tunegate.data.dataset import Dataset, Reading, open_questions
from tunegate.results.labels import json_field
from tunegate_checks.data import format


def row(prompt: str = "Where is it?", reply: str = "yes", **fields: Any) -> dict[str, Any]:
    turns = {"user": prompt, "assistant": reply}
    return {"messages": [{"role": r, "content": c} for r, c in turns.items()], **fields}


def test_every_part_of_a_dataset_keeps_it() -> None:
    reading = Config.model_validate({"label": "json:team", "data": {"group_by": "user"}}).reading
    dataset = Dataset.of([row(reply='{"team": "card"}', user=7)] * 3, reading=reading)
    chunk = pickle.loads(pickle.dumps(split_into_chunks(dataset, 2)[1]))
    assert [(e.label, e.group) for e in (*dataset, *chunk)] == [("card", "7")] * 4
    assert chunk.reading == reading


@pytest.mark.parametrize(
    ("group_by", "fields", "group"),
    [
        ("user", {"user": "u1"}, "u1"),
        ("meta.user", {"meta": {"user": 3}}, "3"),
        ("meta.user", {"meta.user": 4}, "4"),
        (["parent", "id"], {"id": 5}, "5"),
        (["parent", "id"], {"id": 6, "parent": 5}, "5"),
        (["parent", "id"], {"id": 6, "parent": None}, "6"),
        ("user", {}, ""),
        ([], {"user": "u1"}, ""),
    ],
)
def test_a_group_is_the_first_field_that_a_row_has(
    group_by: Any, fields: dict[str, Any], group: str
) -> None:
    reading = Config.model_validate({"data": {"group_by": group_by}}).reading
    assert Dataset.of([row(**fields)], reading=reading)[0].group == group


def test_a_time_is_a_number_or_a_date() -> None:
    dates = ["1970-01-02", "1970-01-01T01:00:00Z", 7, "8.5", "soon", None, True]
    rows = Dataset.of([row(at=date) for date in dates], reading=Reading(time_by="at"))
    assert [e.time for e in rows] == [86400.0, 3600.0, 7.0, 8.5, None, None, None]


def questions(*rows: dict[str, Any], **reading: Any) -> list[tuple[bool, str]]:
    dataset = Dataset.of([*rows], reading=Reading(**reading))
    found = [(f.hint, f.evidence) for f in open_questions(dataset)]
    assert {*found} <= {(f.hint, f.evidence) for f in _all(format.find(dataset, fewest=0))}
    return found


def _all(findings: Any) -> list[Any]:
    return [*findings, *findings.hints]


def test_rows_that_say_they_are_bad_close_the_gate_until_it_is_said_what_they_mean() -> None:
    for name in ("desirable", "label", "kto_tag"):
        rows = [row(**{name: True}), row(**{name: False}), row(**{name: False})]
        ((hint, evidence),) = questions(*rows)
        assert not hint
        assert evidence.startswith(f"2 of 3 rows (first: line 2) say by {name} = false that their")
        assert evidence.endswith(f'write under [data]: ignore = ["{name}"]')
        assert questions(*rows, ignore=(name,)) == []
        assert Dataset.of(rows)[1].desirable is False
    assert questions(row(label="card"), row(label=0), row(desirable=True)) == []


def test_a_weight_that_is_not_heeded_closes_the_gate_and_a_score_is_a_hint() -> None:
    ((hint, evidence),) = questions(row(weight=1.0), row(weight=0.5))
    assert (hint, evidence[:22]) == (False, "1 of 2 rows (first: li")
    ((hint, evidence),) = questions(row(score=1), row(score=4.5))
    assert (hint, evidence[:21]) == (True, "`score` is 1 to 4.5, ")
    assert questions(row(weight=0.5), row(score=1), row(score=4), ignore=("weight", "score")) == []
    assert questions(row(weight=1), row(score=3), row(score=3)) == []


def test_a_field_that_no_row_has_is_a_mistake_and_one_that_some_lack_a_hint() -> None:
    ((hint, evidence),) = questions(row(user=1), group_by=("usr",))
    assert (hint, evidence) == (False, "data.group_by: no row has a field `usr`; valid: user")
    ((hint, evidence),) = questions(row(user=1), row(), group_by=("user",))
    assert (hint, evidence) == (True, "1 of 2 rows have no `user` (data.group_by)")
    ((hint, evidence),) = questions(row(at="soon"), time_by="at")
    assert (hint, evidence) == (False, "data.time_by: no row has a time in `at`; valid: at")


def test_a_rule_that_is_set_is_read_from_each_reply() -> None:
    replies = ['{"team": " card "}', '{"team": null}', "card"]
    rows = Dataset.of([row(reply=r) for r in replies], reading=Reading(json_field("team")))
    assert [e.label for e in rows] == ["card", "", ""]
