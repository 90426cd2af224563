"""The budget: hard, whatever order requests leave and come back in; and what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.errors import ConfigError
from tunegate.interfaces.model import Answer, Budget, Model, budget_from_options, hold_to_budget

COSTS = st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1)), max_size=40)


@given(COSTS, st.floats(0, 10), st.integers(0, 20), st.integers(1, 5))
def test_it_is_never_overrun(
    costs: list[tuple[float, float]], most: float, requests: int, at_once: int
) -> None:
    """Each request costs a share of its estimate; up to `at_once` are under way together."""
    budget, under_way, sent = Budget(requests, most), [], 0
    for estimate, share in costs:
        if len(under_way) == at_once:
            budget.charge(*under_way.pop(0))
        if budget.reserve(estimate):
            sent += 1
            under_way.append((estimate, estimate * share))
        assert budget.spent + sum(e for e, _ in under_way) <= most * (1 + 1e-9) + 1e-12
    for estimate, cost in under_way:
        budget.charge(estimate, cost)
    assert budget.sent == sent <= requests
    assert budget.spent <= most * (1 + 1e-9) + 1e-12


def test_what_is_not_used_can_be_used_again() -> None:
    budget = Budget(cost=1.0)
    assert budget.reserve(0.9)
    assert not budget.reserve(0.2)
    budget.charge(0.9, 0.1)
    assert budget.reserve(0.2)


def test_without_bounds_everything_fits() -> None:
    budget = Budget()
    assert all(budget.reserve(1e9) for _ in range(100))
    assert budget.sent == 100


def test_how_far_it_got() -> None:
    assert str(Budget()) == ""
    budget = Budget(requests=2)
    for _ in range(2):
        assert budget.reserve(0.5)
        budget.charge(0.5, 0.25)
    assert str(budget) == "2 of 2 requests, $0.5000"
    said = "not asked: the budget of 2 requests (--max-requests) is spent"
    assert not budget.reserve(0)
    assert budget.mark_exhausted() == said
    assert str(budget).endswith("; that is spent: what came is kept, run again")
    assert (
        Budget(cost=1.5).mark_exhausted() == "not asked: the budget of $1.5 (--max-cost) is spent"
    )


@pytest.mark.parametrize(
    ("requests", "cost", "model", "spread", "said"),
    [
        (-1, None, "m", False, "--max-requests -1: the bound must be a number from 0 on"),
        (None, float("nan"), "m", False, "--max-cost nan: "),
        (None, 1.0, None, False, "--max-cost bounds what a model suite asks: it needs --model"),
        (3, None, "m", True, "--max-requests with -n: "),
    ],
)
def test_what_cannot_be_held_to_is_refused(
    requests: int | None, cost: float | None, model: str | None, spread: bool, said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        budget_from_options(requests, cost, model, spread)
    assert str(raised.value).startswith(said)


def test_without_bounds_nothing_is_refused() -> None:
    budget = budget_from_options(None, None, None, uses_xdist=True)
    assert (budget.requests, budget.cost) == (None, None)


def test_a_model_that_costs_nothing_is_left_alone() -> None:
    class Free:
        name, digest, answers = "free", "d", None

    model: Model = Free()  # type: ignore[assignment]
    assert hold_to_budget(Budget(requests=1), model) is model


def test_an_answer_of_text_alone_took_and_cost_nothing() -> None:
    """When it was asked is no part of what it says."""
    answer = Answer(0, "hi")
    assert not any((answer.latency, answer.tokens, answer.cost, answer.prompt_tokens))
    assert (answer.error, answer.finish, answer.reasoning, answer.served_by) == ("",) * 4
    assert answer == Answer(0, "hi", asked_at=12.5) != Answer(0, "hi", latency=12.5)
