"""Slips of the pen are told from labels that are meant to be near each other."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    "labels",
    [
        ["C", "C++", "C#"],
        [">50K", "<=50K"],
        ["👍", "👎"],
        ["-1", "0", "1"],
        ["A", "A+", "A-"],
        ["★", "★★", "★★★"],
        ["avó", "avô"],
        ["3²", "32"],
        ["?", "."],
        [".net", "net"],
        ["1-2", "12"],
        ["退款申请", "退款申诉"],
        ["type i", "type ii"],
        ["group a", "group b"],
        ["hyperglycemia", "hypoglycemia"],
        ["Slovakia", "Slovenia"],
        ["Iran", "Iraq"],
        ["billing", "billing: refund"],
    ],
)
@pytest.mark.parametrize("rare", [1, 3, 60])
def test_signs_digits_emoji_and_accents_carry_meaning(labels: list[str], rare: int) -> None:
    for usual in labels:
        assert find_typos({c: 60 if c == usual else rare for c in labels}) == {}


@pytest.mark.parametrize(
    "label", ["Devolução", "devolucao", "devolução.", "“devolução”", "It is: devolução"]
)
def test_a_variant_is_a_slip_where_it_is_rare_beside_its_twin(label: str) -> None:
    assert find_typos({"devolução": 50, label: 5}) == {label: "devolução"}
    assert find_typos({"devolução": 50, label: 6}) == {}
    assert find_typos({"devolução": 50, label: 49}) == {}
    if not label.startswith("It"):
        assert find_typos({"devolução": 5, label: 1}) == {label: "devolução"}
        assert find_typos({"devolução": 4, label: 1}) == {}


def test_white_space_around_a_label_makes_no_other_label() -> None:
    counts = {"us": 40, "us ": 50, "\nUS": 40, "billing": 60, "biling ": 2, "biling": 1}
    assert find_typos(counts) == {"us ": "us", "biling ": "billing", "biling": "billing"}


@given(st.dictionaries(st.text("aAáâ bB+-1", min_size=1, max_size=4), st.integers(1, 99)))
def test_a_label_of_similar_size_is_never_a_slip(counts: dict[str, int]) -> None:
    """What is changed has fewer rows than a tenth, or is one row; and changes to a label kept."""
    totals = Counter[str]()
    for label, n in counts.items():
        totals[" ".join(label.split())] += n
    typos = find_typos(counts)
    for label, intended in typos.items():
        assert intended not in typos
        one, two = " ".join(label.split()), " ".join(intended.split())
        assert one == two or totals[one] <= max(1, 0.1 * totals[two])


def test_a_slip_of_a_slip_is_told_the_label_and_not_the_slip() -> None:
    assert find_typos({"deliveries": 900, "deliverie": 40, "deliveri": 1}) == {
        "deliverie": "deliveries",
        "deliveri": "deliveries",
    }


def test_the_nearest_known_label_wins_and_the_commoner_of_two() -> None:
    assert nearest_label("account", {"accounts": 3, "accounting": 900}) == "accounts"
    assert nearest_label("acounts", {"accounts": 3, "account": 9}) == "accounts"
    assert nearest_label("refund", {"billing": 1}) == ""
