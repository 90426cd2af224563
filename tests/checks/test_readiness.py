"""The reasons for fine-tuning, and the verdict that they come to, on planted situations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from asking import tickets
from hypothesis import given, settings
from hypothesis import strategies as st
from readmes import ROOT

from tunegate import Dataset, Limits, Predictions
from tunegate.config.schema import Readiness, ReasonName
from tunegate.models.predict import request_of
from tunegate.reporting import terminal
from tunegate.results.outcome import collect_outcomes
from tunegate.results.prediction import Prediction
from tunegate_checks.readiness import Advice, Reason, form_of, paid_back
from tunegate_checks.text.replies import facts_of

LABELS = ["billing", "delivery", "returns"]
N = 300
TRAIN = tickets([(f"ticket number {w}", LABELS[w % 3]) for w in range(900)], "train")
VALIDATION = tickets([(f"question number {w}", LABELS[w % 3]) for w in range(N)], "validation")
# All that has to be said where the situation is one for fine-tuning.
KNOWN: dict[str, Any] = {
    "prompt": "few", "changes_every_days": 365, "retraining_days": 2, "confidential": False,
    "requests_per_month": [80_000, 120_000], "price_in": 2.5, "price_out": 10.0,
    "tuned_price_in": 0.3, "tuned_price_out": 1.2, "training_cost": 2_000, "retraining_cost": 200,
    "tuned_tokens": 60,
}  # fmt: skip


class Models:
    """Answers by role: so many of 100 rows right, with tokens, cost and seconds of each."""

    def __init__(self, right: Mapping[str, int], **facts: Any) -> None:
        self.right, self.facts, self.asked = right, facts, list[str]()

    def __call__(self, dataset: Dataset, role: str = "candidate") -> Predictions:
        self.asked.append(role)
        assert dataset.split == "validation"
        if role not in self.right:
            return Predictions([])
        facts = {"prompt_tokens": 2_000, "tokens": 4, **self.facts}
        rows = [
            Prediction(
                e.row, e.line, e.prompt, e.reply,
                e.reply if e.row % 100 < self.right[role] else "something else",
                latency=0.4 + e.row / 1e6, given=request_of(e).messages, **facts,
            )
            for e in dataset
        ]  # fmt: skip
        return Predictions(rows, model=role)


def advised(
    right: Mapping[str, int] | None = None, train: Dataset = TRAIN, task: str = "classification",
    limits: Limits | None = None, answer: Mapping[str, Any] = {}, **settings: Any,
) -> Advice:  # fmt: skip
    known = {k: v for k, v in {**KNOWN, "rows": N, **settings}.items() if v is not ...}
    models = Models({"few": 60} if right is None else right, **answer)
    return Advice(Readiness(**known), limits or Limits(), task, train, VALIDATION, models)


def qa(n: int) -> Dataset:
    rows = [(f"who answers for part {w}?", f"For that ask Ana Souza{w}.") for w in range(n)]
    return tickets(rows, "train")


SITUATIONS: dict[str, tuple[Callable[[], Advice], str, str]] = {
    "prompt is enough": (lambda: advised({"few": 98}), "prompt", "accuracy 98.0%"),
    "a knowledge task": (
        lambda: advised({"few": 40, "kb": 97}, qa(600), "qa", retrieval="kb"),
        "retrieve", "kb: accuracy 97.0%",
    ),
    "too few rows": (
        lambda: advised(train=Dataset.of([dict(e.fields) for e in TRAIN[:90]], "train")),
        "not yet", "first put right: examples",
    ),
    "does not pay": (lambda: advised(requests_per_month=1_000), "not yet", "right: pays"),
    "pays": (lambda: advised(), "fine-tune", "every reason holds"),
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_verdict_is_right_on_a_planted_situation(name: str, tmp_path: Path) -> None:
    make, verdict, why = SITUATIONS[name]
    advice = make()
    assert advice.verdict[0] == verdict, [repr(reason) for reason in advice.reasons]
    assert why in advice.verdict[1]
    with collect_outcomes() as outcomes:
        assert advice.conclude(tmp_path)  # it is advice
    (table, *_) = [o.data["table"] for o in outcomes if "table" in o.data]
    assert all(len(f"{a:15}  {b:3}  {c}") <= 80 for a, b, c in table)
    assert len(table) <= 30
    kept = json.loads((tmp_path / ".tunegate" / "readiness.json").read_text("utf-8"))
    assert kept["verdict"] == verdict
    assert [r["name"] for r in kept["reasons"]] == [reason.name for reason in advice.reasons]


@pytest.mark.parametrize("page", ["readiness.md", "readiness.pt-BR.md"])
def test_the_page_shows_what_is_printed(page: str, tmp_path: Path) -> None:
    with collect_outcomes() as outcomes:
        advised().conclude(tmp_path)
    tables = [o.data for o in outcomes if "table" in o.data]
    printed = [line for data in tables for line in terminal.grid(data["table"])]
    text = (ROOT / "docs" / page).read_text("utf-8")
    shown = text.partition("```\n====")[2].partition("```")[0].splitlines()[1:]
    assert [line for line in shown if not line.startswith("=")] == printed


def test_as_a_gate_all_but_fine_tune_is_closed(tmp_path: Path) -> None:
    for name, (make, verdict, _) in SITUATIONS.items():
        advice = make()
        advice.settings = advice.settings.model_copy(update={"gate": True})
        with collect_outcomes():
            assert bool(advice.conclude(tmp_path)) is (verdict == "fine-tune"), name
    assert not advised({"few": 98}, gate=True).reason("prompting")
    assert not advised({}, gate=True).reason("prompting")


@pytest.mark.parametrize(
    ("right", "settings", "holds", "evidence"),
    [
        (60, {}, True, "at most 64.7%"),
        (98, {}, False, "98.0%"),
        (93, {}, None, "too few rows to tell"),
        (98, {"cost_per_1000": 5.0}, True, "$9.99 for 1,000, $5 is allowed"),
        (98, {"latency_p95": 0.2}, True, "0.40 s, 0.2 s is allowed"),
        (98, {"cost_per_1000": 20.0, "latency_p95": 2.0}, False, "98.0%"),
        (98, {"confidential": True}, True, "confidential"),
    ],
)
def test_prompting_is_enough_where_it_is_right_cheap_and_fast(
    right: int, settings: dict[str, Any], holds: bool | None, evidence: str
) -> None:
    reason = advised({"few": right}, answer={"cost": 0.00999}, **settings).reason("prompting")
    assert (reason.holds, evidence in reason.evidence) == (holds, True), reason


def test_a_cost_that_is_not_known_is_no_proof_that_prompting_is_enough() -> None:
    free = {"answer": {"cost": 0.0}, "cost_per_1000": 5.0}
    reason = advised({"few": 98}, **free).reason("prompting")
    assert (reason.holds, "no cost was reported" in reason.evidence) == (None, True), reason
    assert advised({"few": 60}, **free).reason("prompting").holds is True  # it is wrong too often


def test_missing_answers_are_no_proof_against_prompting() -> None:
    advice = advised({"few": 100})
    answers = advice.ask(VALIDATION, "few")
    rows = [replace(p, got="", error="timeout") if p.row % 2 else p for p in answers]
    advice.ask = lambda dataset, role="candidate": Predictions(rows, model="few")
    assert advice.reason("prompting").holds is None


@pytest.mark.parametrize("name", ["changes_every_days", "retraining_days", "confidential",
                                  "requests_per_month", "training_cost", "retraining_cost",
                                  "tuned_price_in", "tuned_price_out", "price_in", "prompt",
                                  "tuned_tokens"])  # fmt: skip
def test_what_is_not_known_is_asked_for_by_name(name: str) -> None:
    advice = advised({} if name == "prompt" else None, **{name: ...})
    verdict, why = advice.verdict
    assert (verdict, why[:10]) == ("not yet", "not known:")
    open_reasons = [reason for reason in advice.reasons if reason.holds is None]
    assert all(f"set {name} in" in reason.evidence for reason in open_reasons[:1])


def test_nothing_is_asked_where_it_may_not_stand_in_a_prompt() -> None:
    advice = advised(confidential=True, retrieval="kb")
    assert advice.verdict[0] == "fine-tune"
    assert isinstance(advice.ask, Models)
    assert advice.ask.asked == []


def test_prices_of_the_endpoint_and_tokens_of_the_baseline_need_not_be_told() -> None:
    advice = advised(
        {"few": 60, "baseline": 10}, answer={"cost": 0.005},
        price_in=..., price_out=..., tuned_tokens=...,
    )  # fmt: skip
    assert advice.reason("pays").holds
    assert advice.payback is not None
    assert advice.payback.prompted == pytest.approx(500)


def test_a_share_of_facts_asks_for_documents() -> None:
    reason = advised(train=qa(100), task="qa").reason("knowledge")
    assert reason.holds is None
    assert "100% of the replies name facts" in reason.evidence
    assert "set retrieval" in reason.evidence
    assert advised(train=qa(100), task="qa", facts=1.0).reason("knowledge").holds


def test_private_values_in_examples_are_told() -> None:
    rows = [(f"write to ana{w}@corp-mail.com.br now", "billing") for w in range(60)]
    reason = advised(train=tickets(rows, "train")).reason("confidentiality")
    assert (reason.holds, "60 of 60 training rows hold" in reason.evidence) == (False, True)


def test_examples_of_several_forms_have_no_tone_to_learn() -> None:
    replies = ["Here is one.", "- this\n- that", "```\ncode\n```", "no stop"]
    rows = [(f"question {w}", replies[w % 4]) for w in range(200)]
    reason = advised(train=tickets(rows, "train"), task="text").reason("tone")
    assert (reason.holds, reason.evidence[:3]) == (False, "25%")


def test_texts_need_a_limit() -> None:
    reason = advised(train=qa(100), task="text").reason("prompting")
    assert (reason.holds, reason.evidence[:13]) == (None, "set chrf in [")


def test_a_reason_that_is_left_out_does_not_count() -> None:
    assert advised(requests_per_month=1_000, leave_out=["pays"]).verdict[0] == "fine-tune"
    nothing = advised(leave_out=[*get_args(ReasonName)])
    assert nothing.verdict == ("not yet", "every reason is left out")


def test_a_reason_records_itself_in_the_test() -> None:
    with collect_outcomes() as outcomes:
        assert Reason("pays", False, "never", "not yet", False)
    assert [(o.name, o.passed) for o in outcomes] == [("pays", False)]


@pytest.mark.parametrize(
    ("reply", "given", "facts"),
    [
        ("The plan costs 49 reais.", "what does it cost?", {"49"}),
        ("You can call Maria.", "who can help?", {"maria"}),
        ("Sure, I can do that.", "can you?", set()),
        ("It is Maria Lima.", "Is it MARIA or Lima?", set()),
        ("O prazo é até Março.", "qual o prazo?", {"março"}),
    ],
)
def test_facts_are_numbers_and_names_that_are_not_given(
    reply: str, given: str, facts: set[str]
) -> None:
    assert facts_of(reply, given) == facts


def test_the_form_of_a_reply() -> None:
    forms = {form_of(r) for r in ("billing", "Yes.", "- a\n- b", '{"a": 1}', "好。")}
    assert forms == {"prose", "prose with a full stop", "lists", "code"}


amounts = st.floats(0, 1e4)


@settings(max_examples=25)
@given(
    st.floats(1, 1e7), st.floats(1, 5), amounts, amounts, amounts,
    st.lists(st.tuples(st.integers(1, 9_000), st.integers(1, 900)), min_size=20, max_size=40),
)  # fmt: skip
def test_early_is_not_after_late_and_more_requests_pay_no_later(
    few: float, factor: float, training: float, retraining: float, fixed: float,
    tokens: list[tuple[int, int]],
) -> None:  # fmt: skip
    answers = [Prediction(i, i, "", "", "", prompt_tokens=a, tokens=b)
               for i, (a, b) in enumerate(tokens)]  # fmt: skip
    settings = {
        **Readiness(**KNOWN).model_dump(), "requests_per_month": (few, few * factor),
        "training_cost": training, "retraining_cost": retraining, "tuned_per_month": fixed,
    }  # fmt: skip
    early, likely, late = paid_back(settings, answers, 60.0).months
    assert early <= likely * (1 + 1e-9)
    assert likely <= late * (1 + 1e-9)
    more = {**settings, "requests_per_month": (few * factor, few * factor)}
    assert paid_back(more, answers, 60.0).months[0] <= early * (1 + 1e-9)
    same = [replace(p, prompt_tokens=2_060, tokens=10) for p in answers]
    one = {**settings, "requests_per_month": (1e6, 1e6), "retraining_cost": 0, "tuned_per_month": 0}
    saved = 2_060 * 2.5 + 10 * 10 - (60 * 0.3 + 10 * 1.2)  # USD a month, of a million requests
    assert paid_back(one, same, 60.0).months == pytest.approx([training / saved] * 3)


@pytest.mark.parametrize(("n", "verdict"), [(3, "not yet"), (19, "not yet"), (20, "prompt")])
def test_a_few_right_answers_do_not_show_that_a_prompt_is_enough(n: int, verdict: str) -> None:
    advice = advised({"few": 100})
    advice.rows = VALIDATION.drawn(n)
    assert advice.verdict[0] == verdict
    if n < 20:
        assert "too few rows to tell" in advice.reason("prompting").evidence
