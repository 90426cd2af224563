"""Rows that are not independent: identical requests count once, rows of a group stand together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from predicted import RIGHT, WRONG, predicted, valued

from tunegate import Dataset, Predictions, Unmeasurable
from tunegate.data.dataset import Reading
from tunegate.interfaces.model import Answer, Request
from tunegate.models.predict import predict
from tunegate.results.score import Limit, Score
from tunegate.storage.state_dir import StateDir
from tunegate_checks.model import classification, codecheck, compare, improvement, jsonmatch
from tunegate_checks.model.metric import mean
from tunegate_checks.stats import Units

closeness = mean("closeness", lambda p: 0.0 if p.error else float(p.got))
SCORES = {
    "accuracy": lambda p: classification.accuracy(p),
    "macro-F1": lambda p: classification.macro_f1(p),
    "parses": lambda p: codecheck.parses(p),
    "mean": mean("right", lambda p: float(p.right)),
}


def copied(rows: Predictions, times: int) -> Predictions:
    """Return the predictions, each `times` times, as of a test set with duplicated rows."""
    asked = [replace(p, request=f"request {p.row}") for p in rows]
    copies = [p for _ in range(times) for p in asked]
    return Predictions([replace(p, row=i, line=i + 1) for i, p in enumerate(copies)])


def grouped(rows: Predictions, size: int) -> Predictions:
    """Return the predictions in groups of `size`, as `[data] group_by` makes them."""
    return Predictions([replace(p, group=f"user {p.row // size}") for p in rows])


def facts(score: Score) -> tuple[float, ...]:
    """Return what a duplicated row must not change."""
    return float(score), float(score.by("lower")), score.best_case, score.errors


@pytest.mark.parametrize("name", SCORES)
def test_a_row_that_stands_there_three_times_counts_once(name: str) -> None:
    rows = predicted([RIGHT] * 30 + [WRONG] * 2 + [("b", "b")] * 8)
    once, thrice = SCORES[name](rows), SCORES[name](copied(rows, 3))
    assert (thrice.n, thrice.units) == (once.n, once.units) == (40, 40)
    assert facts(thrice) == pytest.approx(facts(once))
    assert thrice.hits == once.hits


def test_all_right_ten_rows_show_what_ten_rows_show() -> None:
    score = classification.accuracy(copied(predicted([RIGHT] * 10), 20))
    assert float(score.by("lower")) == pytest.approx(0.05 ** (1 / 10))
    with pytest.raises(Unmeasurable, match="at n = 10: at least 59 rows are needed"):
        assert score >= Limit(0.95, "lower")
    assert score >= 0.95


def test_the_value_is_that_of_all_rows_and_no_bound_is_better() -> None:
    rows = [*copied(predicted([RIGHT] * 60), 1), *copied(predicted([WRONG]), 40)]
    asked = [
        replace(p, row=i, request=p.request if p.got == "a" else "it") for i, p in enumerate(rows)
    ]
    score = classification.accuracy(Predictions(asked))
    assert (float(score), score.n, score.hits) == (0.6, 61, 60)
    assert float(score.by("lower")) <= 0.6 <= score.high


def test_groups_are_as_uncertain_as_so_many_rows() -> None:
    rows = grouped(predicted([RIGHT] * 95 + [WRONG] * 5), 5)
    score = classification.accuracy(rows)
    alone = classification.accuracy(predicted([RIGHT] * 19 + [WRONG]))
    assert (float(score), score.n, score.units) == (0.95, 100, 20)
    assert facts(score) == pytest.approx(facts(alone))
    assert score.low < alone.low + 0.01
    assert score.signature.endswith("; 20 independent groups")
    assert "20 of 100" not in score.signature


def test_a_group_that_is_too_few_is_unmeasurable() -> None:
    score = classification.accuracy(grouped(predicted([RIGHT] * 100), 10))
    with pytest.raises(Unmeasurable, match="at n = 100 in 10 independent groups: at least 59 ind"):
        assert score >= Limit(0.95, "lower")


@pytest.mark.parametrize("name", [*SCORES, "valid JSON"])
def test_no_score_is_surer_in_groups(name: str) -> None:
    rows = predicted([RIGHT] * 40 + [WRONG] * 4 + [("b", "b")] * 16)
    if name == "valid JSON":
        rows = Predictions([replace(p, expected="{}", got="{}" if p.right else "{") for p in rows])
    score = {**SCORES, "valid JSON": jsonmatch.valid}[name]
    alone, together = score(rows), score(grouped(rows, 4))
    assert float(alone) == float(together)
    assert together.by("lower") < alone.by("lower")


def test_errors_are_worst_and_best_in_groups_too() -> None:
    rows = grouped(predicted([RIGHT] * 60, errors=range(3)), 3)
    score = classification.accuracy(rows)
    assert (float(score), score.best_case, score.errors) == (0.95, 1.0, 3)
    assert float(score.by("lower")) < (score.best_case_lower or 0)


def test_paired_differences_are_too() -> None:
    old, new = predicted([WRONG] * 8 + [RIGHT] * 72), predicted([RIGHT] * 78 + [WRONG] * 2)
    alone = improvement.of(new, over=old)
    together = improvement.of(grouped(new, 4), over=old)
    assert float(alone) == float(together)
    assert (together.lower or 0) < (alone.lower or 0)
    assert together.units == 20
    thrice = improvement.of(copied(new, 3), over=copied(old, 3))
    assert (thrice.n, thrice.lower, thrice.low) == pytest.approx((80, alone.lower, alone.low))
    values = valued([0.5 + i % 2 / 20 for i in range(80)]), valued([0.5] * 80)
    one = compare.superior(*values, closeness)
    assert compare.superior(grouped(values[0], 4), values[1], closeness).p > one.p


def test_a_model_gains_in_groups_what_the_other_loses() -> None:
    old, new = predicted([WRONG] * 8 + [RIGHT] * 72), predicted([RIGHT] * 77 + [WRONG] * 3)
    gain = compare.superior(grouped(new, 4), old).difference
    loss = compare.superior(grouped(old, 4), new).difference
    assert (gain.low, gain, gain.high) == pytest.approx((-loss.high, -loss, -loss.low))
    assert -1 <= gain.low < gain < gain.high <= 1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_units_are_what_hangs_together(drawn: list[tuple[int, int]]) -> None:
    """0 is no group, and no request."""
    rows = [
        replace(p, group=str(group or ""), request=str(request or ""))
        for p, (group, request) in zip(predicted([RIGHT] * len(drawn)), drawn, strict=True)
    ]
    units = Units.of(rows)
    lone = sum(not request for _, request in drawn)
    assert units.n == lone + len({request for _, request in drawn if request})
    assert 1 <= units.count <= units.n <= len(rows)
    shuffled = Units.of(rows[::-1])
    assert (shuffled.n, shuffled.count) == (units.n, units.count)


class Echo:
    """A model that answers with the last word that it is asked."""

    name, digest = "echo", "0" * 64

    def answers(self, requests: list[Request]) -> Iterator[Answer]:
        for r in requests:
            yield Answer(r.row, str(r.messages[-1]["content"]).split()[-1])


def test_predictions_know_group_request_and_messages(tmp_path: object) -> None:
    def row(system: str, text: str, user: str) -> dict[str, object]:
        asked = [{"role": "system", "content": system}, {"role": "user", "content": text}]
        return {"messages": [*asked, {"role": "assistant", "content": "x"}], "user": user}

    rows = [row("s", "a x", "1"), row("s", "a x", "2"), row("t", "a x", "2"), row("s", "b x", "")]
    test = Dataset.of(rows, reading=Reading(group_by=("user",)))
    found = predict(Echo(), test, StateDir(tmp_path))  # type: ignore[arg-type]
    assert found[0].request == found[1].request != found[2].request  # another system prompt
    assert len({p.request for p in found}) == 3
    assert found[1].group == found[2].group != found[0].group
    assert [m["role"] for m in found[0].given] == ["system", "user"]
    units = Units.of(found)
    assert (units.n, units.count) == (3, 2)
