"""Findings: falsy when clean, one line when printed, hints apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate import Dataset, Example, Finding, Findings, Prediction, check
from tunegate.results.outcome import collect_outcomes

CPF = Finding(4, 5, "cpf", "529.***.***-25")
EMAIL = Finding(1, 2, "email", "a***@b.com")
WHOLE = Finding(None, None, "size", "6 examples, fewer than 100")
HINT = Finding(None, None, "resolution", "a 92 % model passes 18 % of the time", hint=True)


def findings(*items: Finding, n: int = 10) -> Findings:
    return Findings("pii", items, split="train", path="train.jsonl", n=n)


def test_clean_is_false() -> None:
    assert not findings()
    assert not findings(HINT)
    assert findings(CPF)


def test_hints_stand_apart() -> None:
    found = findings(HINT, CPF)
    assert (list(found), list(found.hints)) == ([CPF], [HINT])


def test_it_is_a_sequence_in_the_order_of_the_file() -> None:
    found = findings(CPF, EMAIL, WHOLE)
    assert list(found) == [WHOLE, EMAIL, CPF]
    assert (found[0], list(found[1:]), len(found)) == (WHOLE, [EMAIL, CPF], 3)
    assert found == [WHOLE, EMAIL, CPF]
    assert found == findings(WHOLE, EMAIL, CPF)
    assert found != findings(WHOLE, EMAIL, CPF, HINT)


def test_a_finding_is_the_same_with_and_without_the_name_it_can_be_accepted_by() -> None:
    named = replace(CPF, fingerprint="the row", id="0123456789ab")
    assert named == CPF
    assert repr(named) == repr(CPF)
    assert findings(named) == [CPF]


@pytest.mark.parametrize("other", [[], [EMAIL], [CPF, CPF], 3, None, ()])
def test_findings_differ_from_other_lists_and_from_what_is_none(other: object) -> None:
    assert findings(CPF) != other


def test_where_the_number_of_examples_is_not_said_it_is_0() -> None:
    found = Findings("pii", [WHOLE])
    assert (found.n, found.split, found.path, found.accepted) == (0, "", "", ())


def test_rows_and_kinds() -> None:
    found = findings(CPF, CPF, EMAIL, WHOLE)
    assert found.rows == [1, 4]
    assert found.kinds == {"cpf": 2, "size": 1, "email": 1}


def test_rate() -> None:
    rate = findings(CPF, CPF, EMAIL).rate
    assert (rate.name, float(rate), rate.n, rate.hits) == ("pii rate of train", 0.2, 10, 2)
    assert rate <= 0.2
    assert not rate <= 0.1
    assert Findings("pii", [CPF], n=10).rate.name == "pii rate"


def test_asking_records_nothing() -> None:
    with collect_outcomes() as ledger:
        assert findings(HINT) == []
        assert not findings(HINT)
        assert findings(CPF)
        assert len(findings(CPF)) == 1
    assert ledger == []


def test_an_outcome_has_figures_and_hints() -> None:
    judgement = findings(HINT).outcome(False)
    assert judgement.passed
    assert judgement.data == {
        "found": 0,
        "n": 10,
        "accepted": [],
        "hints": [HINT.evidence],
        "idle": [],
    }


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "<pii: nothing found in 10 examples of train>"),
        ([CPF, CPF, EMAIL], "<pii: 2 cpf, 1 email in 2 of 10 examples of train>"),
        ([WHOLE], "<pii: 1 size of train>"),
    ],
)
def test_it_prints_counts_first(items: list[Finding], said: str) -> None:
    assert repr(findings(*items)) == said


@pytest.mark.parametrize(
    ("advisory", "passed", "hints"),
    [(False, False, []), (True, True, ["advisory: 2 cpf, 1 email in 2 of 10 examples"])],
)
def test_findings_of_an_advisory_check_are_a_hint(
    advisory: bool, passed: bool, hints: list[str]
) -> None:
    outcome = findings(CPF, CPF, EMAIL).outcome(advisory)
    assert (outcome.passed, outcome.data["found"], outcome.data["hints"]) == (passed, 3, hints)


def test_a_row_makes_its_findings() -> None:
    example = Example(4, 5, {"messages": []})
    prediction = Prediction(4, 5, "question", "a", "b")
    for row in (example, prediction):
        assert row.finding("cpf", "529.***.***-25") == CPF
        assert row.finding("cpf", "x", hint=True) == row.hint("cpf", "x")
        assert row.finding("cpf", "x", fingerprint="pair").fingerprint == "pair"
        assert row.hint("cpf", "x").hint


def test_findings_of_the_whole_dataset() -> None:
    assert Finding.of_dataset("size", "6 examples, fewer than 100") == WHOLE
    assert Finding.dataset_hint(HINT.kind, HINT.evidence) == HINT
    assert Finding.of_dataset("size", "6", hint=True, fingerprint="six").fingerprint == "six"


words = st.text("abcdefghij-", min_size=1, max_size=30)


@given(st.lists(words, max_size=12), st.integers(0, 10_000_000))
def test_it_prints_one_line_that_pytest_does_not_cut(kinds: list[str], n: int) -> None:
    line = repr(findings(*(Finding(i, i + 1, k, "x\ny") for i, k in enumerate(kinds)), n=n))
    assert "\n" not in line
    assert len(line) < 240


@check
def find(dataset: Dataset, other: Dataset) -> Iterator[Finding]:
    """Yield the first example."""
    yield Finding(0, 1, "first", dataset[0].prompt)


def test_a_check_knows_its_dataset() -> None:
    told = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    one, other = Dataset.of([{"messages": told}], "train"), Dataset.of([], "test")
    for found in (find(one, other), find(other=other, dataset=one)):
        assert (found.name, found.split, found.n) == ("test_finding", "test", 0)
    assert find.__doc__ == "Yield the first example."
