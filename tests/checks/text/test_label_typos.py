"""Slips of the pen are told from labels that are meant to be near each other."""

import pytest

from tunegate_checks.text.label_typos import find_typos, nearest_label


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("increase", "decrease"),
        ("typical", "atypical"),
        ("complete", "incomplete"),
        ("level 1", "level 2"),
        ("yes", "no"),
        ("cat", "car"),
        ("returns", "returns abroad"),
        ("billing", "billing/refund"),
    ],
)
def test_labels_that_mean_different_things_are_left_alone(one: str, other: str) -> None:
    assert find_typos({one: 500, other: 2}) == {}


def test_common_labels_one_letter_apart_are_left_alone() -> None:
    assert find_typos({"billing": 100, "bulling": 90}) == {}
    assert find_typos({"billing": 100, "bulling": 5}) == {"bulling": "billing"}


def test_the_same_but_for_case_or_accents_is_a_miss_however_common() -> None:
    assert find_typos({"devolução": 50, "devolucao": 49, "Devolução": 48}) == {
        "devolucao": "devolução",
        "Devolução": "devolução",
    }


def test_a_slip_of_a_slip_is_told_the_label_and_not_the_slip() -> None:
    assert find_typos({"deliveries": 900, "deliverie": 40, "deliveri": 1}) == {
        "deliverie": "deliveries",
        "deliveri": "deliveries",
    }


def test_the_nearest_known_label_wins_and_the_commoner_of_two() -> None:
    assert nearest_label("account", {"accounts": 3, "accounting": 900}) == "accounts"
    assert nearest_label("acounts", {"accounts": 3, "account": 9}) == "accounts"
    assert nearest_label("refund", {"billing": 1}) == ""
