"""One rule says whether a test row stands in training; leakage and promotion both go by it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from tunegate.data.comparison import rows_in_training
from tunegate.data.dataset import Dataset
from tunegate.gates import promotion
from tunegate_checks.data import leakage


def row(text: str, reply: str = "yes", picture: str = "", system: str = "") -> dict[str, Any]:
    shown = [{"type": "image_url", "image_url": {"url": picture}}] if picture else []
    asked: Any = [{"type": "text", "text": text}, *shown] if shown else text
    told: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    told += [{"role": "user", "content": asked}, {"role": "assistant", "content": reply}]
    return {"messages": told}


CASES = [
    ([row("Where is it?")], row("where IS  it?", "no", system="Be brief."), [0]),
    ([row("Where is it?")], row("Where was it?"), []),
    ([row("Stra\u00dfe")], row("STRASSE"), [0]),
    ([row("What is it?", picture="a"), row("What is it?", picture="b")],
     row("What is it?", "no", "b"), [1]),
    ([row("What is it?", picture="a")], row("What is it?", picture="c"), []),
    ([row("What is it?", picture="a")], row("What is it?"), []),
    ([row("", "a cat", "a")], row("", "a dog", "a"), [0]),  # the picture is the question
    ([row("", "a cat", "a")], row("", "a cat", "b"), []),
    ([row("", "one text")], row("", "another, which has nothing of it"), []),
    ([row("", "one text"), row("x"), row("", "one text")], row(" ", "One  text"), [0, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("trained", "tested", "places"), CASES)
def test_the_check_and_the_promotion_say_the_same(
    trained: list[dict[str, Any]], tested: dict[str, Any], places: list[int]
) -> None:
    train, test = Dataset.of(trained, "train"), Dataset.of([tested], "test")
    assert rows_in_training(test, train) == ({0: places} if places else {})
    assert bool(leakage.find(train, test, similarity=1.0)) is bool(places)
    assert refused(test, train) is bool(places)


def refused(test: Dataset, train: Dataset) -> bool:
    run: Any = SimpleNamespace(
        plan=SimpleNamespace(train="x", validation=None, base="b", columns={}),
        data=lambda split: train,
        verify=lambda: None,
        receipt={},
        test_receipts=lambda: {test.digest: ""},
    )
    candidate: Any = SimpleNamespace(run=run, digest="d")
    # Asked for the baseline, which stands for measured here, and for scorecards, of which are none.
    state: Any = SimpleNamespace(runs=Path("none"))
    try:
        with mock.patch.object(promotion, "recall_baseline", return_value={}):
            promotion.check_promotable(candidate, "d", test, state)
    except promotion.PromotionRefused as reason:
        return "stand in what the model was trained on" in str(reason)
    return False
