"""Answers are held to the columns of the schema that they make, and to no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from asking import Asked, tickets

from tunegate import Dataset, Predictions
from tunegate.data.row_schema import load_row_schema
from tunegate.results.labels import json_field
from tunegate_checks.model import contract

pytest.importorskip("pandera")

SCHEMA = """\
import pandera.pandas as pa
from pandera.typing import Series

class Row(pa.DataFrameModel):
    prompt: Series[str] = pa.Field(isin=["no such"])  # the test set's fault, not the model's
    label: Series[str] = pa.Field(isin=["a", "b"])
    total: Series[int] = pa.Field(alias="reply.total", ge=0)
"""
ROWS = tickets([(f"ticket {i}", '{"team": "a", "total": 1}') for i in range(10)])


def reply(text: str) -> str:
    number = int(text.split()[-1])
    if number == 4:
        raise TimeoutError("429")
    answers = ["prose", '{"team": "c", "total": 1}', '{"team": "a", "total": -1}', '{"team": "b"}']
    return answers[number] if number < 4 else '{"team": "b", "total": 7}'


def test_the_share_of_answers_that_keep_the_contract(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text(SCHEMA)
    schema = load_row_schema("schema.py:Row", tmp_path, ROWS)
    score = contract.kept(Asked(reply).of(ROWS), schema, label=json_field("team"))
    assert (score.hits, score.n, score.errors, score.best_case) == (5, 10, 1, 0.6)
    assert score.misses is not None
    assert sorted((f.line, f.kind, f.evidence) for f in score.misses) == [
        (1, "label", "'': isin(['a', 'b'])"),
        (1, "reply", "'prose': no JSON object"),
        (1, "reply.total", "None: missing"),
        (2, "label", "'c': isin(['a', 'b'])"),
        (3, "reply.total", "-1: greater_than_or_equal_to(0)"),
        (4, "reply.total", "None: missing"),
        (5, "no answer", "429"),
    ]


def test_a_field_of_the_row_does_not_stand_for_the_answer(tmp_path: Path) -> None:
    (tmp_path / "schema.py").write_text(SCHEMA)
    own = Dataset.of([{**e.fields, "reply.total": 1} for e in ROWS], "test")
    schema = load_row_schema("schema.py:Row", tmp_path, own)
    answers = Asked(lambda _: '{"team": "a", "total": -1}').of(own)
    wrong = [replace(p, fields=e.fields) for p, e in zip(answers, own, strict=True)]
    assert contract.kept(Predictions(wrong), schema, label=json_field("team")).hits == 0


def test_a_rule_on_all_answers_counts_against_each(tmp_path: Path) -> None:
    rule = '\n    @pa.check("reply.total")\n    def varied(cls, s): return s.nunique() > 5\n'
    (tmp_path / "schema.py").write_text(SCHEMA + rule)
    schema = load_row_schema("schema.py:Row", tmp_path, ROWS)
    right = Asked(lambda _: '{"team": "b", "total": 7}').of(ROWS)
    score = contract.kept(right, schema, label=json_field("team"))
    assert (score.hits, score.n) == (0, 10)


@pytest.mark.parametrize(
    ("answer", "hits"),
    [
        ("sorry, I cannot", 0),
        ('[{"total": 1}]', 0),
        ('```json\n{"total": 1}\n```', 0),
        ('{"total": 1', 0),
        ("", 0),
        ("{}", 10),
        ('{"total": null}', 10),
    ],
)
def test_an_answer_that_is_no_json_object_is_none_with_fields_that_may_lack(
    tmp_path: Path, answer: str, hits: int
) -> None:
    head = SCHEMA.partition("    prompt")[0]
    rule = '    total: Series[float] = pa.Field(alias="reply.total", nullable=True)\n'
    (tmp_path / "schema.py").write_text(head + rule)
    schema = load_row_schema("schema.py:Row", tmp_path, ROWS)
    assert contract.kept(Asked(lambda _: answer).of(ROWS), schema).hits == hits
    prose = tickets([("why?", "because")])  # of rows of both kinds
    assert contract.kept(Asked(lambda _: "as it is").of(prose), schema).hits == 1
