"""Labels get the commonest spelling where nothing else can be meant."""

import json
from collections.abc import Mapping

import pytest
from dirty import row
from hypothesis import given
from hypothesis import strategies as st

from tunegate.data.dataset import Dataset, Reading
from tunegate.results.labels import LabelRule, label_rule, label_rule_of_table
from tunegate_checks.fix.repairs import (
    label_corrections,
    respelled,
    with_text,
)


def made(counts: Mapping[str, int], **more: int) -> Dataset:
    replies = [label for label, n in counts.items() for _ in range(n)]
    return Dataset.of([row(f"q{i}", label) for i, label in enumerate(replies)])


USUAL = {"shipping": 30, "billing": 30}


@pytest.mark.parametrize(
    ("slip", "becomes"),
    [
        ("Shipping", "shipping"),
        ("SHIPPING ", "shipping"),
        ("shiping", "shipping"),
        ("Shiping", "shipping"),
        ("returns", None),
        ("not billing", None),
        ("the team is not billing", None),
    ],
)
def test_slips(slip: str, becomes: str | None) -> None:
    assert label_corrections(made(USUAL | {slip: 1})) == ({slip: becomes} if becomes else {})


def test_what_could_be_two_labels_is_for_a_person() -> None:
    assert label_corrections(made({"cart": 30, "card": 30, "carx": 1})) == {}


@pytest.mark.parametrize("train", [[], ["us"], ["US"], ["us", "US"]])
def test_two_classes_that_differ_in_case_stay_two(train: list[str]) -> None:
    assert label_corrections(made({"us": 44, "US": 46}), train) == {}
    assert label_corrections(made({"us": 44, "US": 46, "Us": 1}), train) == {}


def test_training_has_the_last_word() -> None:
    assert label_corrections(made(USUAL), ["Shipping", "billing"]) == {"shipping": "Shipping"}
    assert (
        label_corrections(made({"returns": 1, "return": 20, "billing": 9}), ["returns", "return"])
        == {}
    )


def test_free_text_and_json_are_no_labels() -> None:
    assert label_corrections(made({f"reply {n}": 1 for n in range(30)} | {"Reply 1": 1})) == {}
    assert label_corrections(made({'{"a": 1}': 5, '{"A": 1}': 1})) == {}


JSON = label_rule("json:a.team")
SETS = label_rule_of_table("set")


@pytest.mark.parametrize(("rule", "reply", "becomes"), [
    (JSON, '{"note": "shiping", "a": {"team":  "shiping"}, "n": 1.50}',
     '{"note": "shiping", "a": {"team":  "shipping"}, "n": 1.50}'),
    (JSON, '<think>shiping?</think>{"a": {"team": "shiping"}}',
     '<think>shiping?</think>{"a": {"team": "shipping"}}'),
    (JSON, r'{"a": {"team": "ship\u0069ng"}}', None),
    (JSON, 'shiping', None),
    (SETS, "billing, shiping", "billing, shipping"),
    (SETS, "shiping, shiping more", "shipping, shiping more"),
    (SETS, '["shiping", "shipping"]', '["shipping", "shipping"]'),
    (label_rule(r"regex:team: (\w+)"), "shiping? team: shiping", "shiping? team: shipping"),
    (label_rule("exact"), "shiping ", "shipping"),
])  # fmt: skip
def test_a_label_is_respelled_where_its_rule_reads_it_and_no_more(
    rule: LabelRule, reply: str, becomes: str | None
) -> None:
    assert respelled(reply, "shiping", "shipping", rule) == becomes


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=4)), st.text(max_size=4), st.text())
def test_json_stays_json_and_no_other_field_changes(
    others: dict[str, str], label: str, new: str
) -> None:
    value = {**others, "team": label.strip()}
    changed = respelled(json.dumps(value), label.strip(), new.strip(), label_rule("json:team"))
    assert changed is None or json.loads(changed) == {**value, "team": new.strip()}


def test_the_rule_of_the_project_says_what_a_label_is() -> None:
    reading = Reading(label_rule("json:team"))
    replies = [f'{{"team": "{team}", "id": {n}}}' for n, team in enumerate(
        ["shipping"] * 30 + ["billing"] * 30 + ["shiping"])]  # fmt: skip
    dataset = Dataset.of([row(f"q{i}", r) for i, r in enumerate(replies)], reading=reading)
    assert label_corrections(dataset) == {"shiping": "shipping"}


def test_replies_are_replaced_where_they_are_one_text() -> None:
    parts = row("q", [{"type": "text", "text": "A"}])  # type: ignore[arg-type]
    changed = with_text(parts, -1, "a")
    assert changed is not None
    assert Dataset.of([changed])[0].reply == "a"
    two = row("q", [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}])  # type: ignore[arg-type]
    assert with_text(two, -1, "a") is None
