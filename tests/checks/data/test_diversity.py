"""Repetition is noticed, as advice or against a limit; varied examples are silent."""

import random

import pytest

from tunegate import Dataset
from tunegate_checks.data import diversity


def dataset(*turns: tuple[str, str]) -> Dataset:
    return Dataset.of(
        [
            {"messages": [{"role": "user", "content": p}, {"role": "assistant", "content": r}]}
            for p, r in turns
        ],
        "train",
    )


def varied(n: int = 60, reply: str = "other") -> list[tuple[str, str]]:
    rng = random.Random(0)
    words = [f"{a}{b}" for a in "bcdfgklmnprst" for b in ("a", "e", "i", "o", "ul", "an")]
    return [(" ".join(rng.choices(words, k=12)), reply) for _ in range(n)]


def test_varied_examples_with_a_way_out_are_silent() -> None:
    for task, reply in [
        ("classification", "other"),
        ("qa", "I do not know."),
        ("style", "Gladly."),
    ]:
        result = diversity.find(dataset(*varied(reply=reply)), task=task)
        assert not result
        assert [f.kind for f in result.hints if task == "classification"] == []


def test_the_same_prompt_again_and_again_is_a_hint_or_a_finding() -> None:
    data = dataset(*[("the cat sat on the mat and slept", "other")] * 60)
    result = diversity.find(data, task="classification")
    assert not result
    assert {f.kind for f in result.hints} == {"repetition", "opening"}
    assert diversity.find(data, task="classification", distinct=0.2).kinds == {"repetition": 1}
    assert diversity.find(data, task="classification", opening=0.5).kinds == {"opening": 1}


def test_a_shared_opening_is_named_with_its_share() -> None:
    turns = [(f"Please tell me how {p}", r) for p, r in varied(30)] + varied(30)
    (hint,) = diversity.find(dataset(*turns), task="classification").hints
    assert "30 of 60 prompts (50 %) begin 'please tell me how'" in hint.evidence


def test_distinct_2_is_the_share_of_different_pairs() -> None:
    assert diversity.distinct_n(["a b c", "a b d"]) == pytest.approx(3 / 4)
    assert diversity.distinct_n(["a b a b"], n=1) == pytest.approx(2 / 4)
    assert diversity.distinct_n([]) == 1
    # Pairs do not reach from one text into the next.
    assert diversity.distinct_n(["a", "b"]) == 1


def test_distinct_n_looks_at_the_same_length_always() -> None:
    text = " ".join(f"w{i}" for i in range(diversity.MAX_WORDS))
    assert diversity.distinct_n([text, "x x x x x x"]) == 1
    assert diversity.distinct_n([text + " x x x x x x"]) == 1


@pytest.mark.parametrize("label", ["other", "Other.", "none of these", "outros", "unknown"])
def test_a_class_for_the_rest_is_recognised(label: str) -> None:
    turns = varied(30, "billing") + varied(30, label)
    kinds = {f.kind for f in diversity.find(dataset(*turns), task="classification").hints}
    assert "no way out" not in kinds


def test_no_way_out_is_a_hint() -> None:
    for task, reply in [("classification", "billing"), ("qa", "Yes, it does.")]:
        hints = diversity.find(dataset(*varied(reply=reply)), task=task).hints
        assert "no way out" in {f.kind for f in hints}


def test_facts_that_the_prompt_does_not_hold_are_a_hint() -> None:
    asked = [
        (p, f"It was founded in {1900 + i} by Ana Souza.") for i, (p, _) in enumerate(varied())
    ]
    hints = diversity.find(dataset(*asked), task="qa").hints
    assert "60 of 60 replies" in next(f.evidence for f in hints if f.kind == "facts")
    given = [(f"{p} 1900 Ana Souza", "Founded in 1900 by Ana Souza.") for p, _ in varied()]
    assert "facts" not in {f.kind for f in diversity.find(dataset(*given), task="qa").hints}


def test_an_empty_dataset_raises_nothing() -> None:
    for task in ("qa", "classification"):
        assert not diversity.find(Dataset([]), task=task)
