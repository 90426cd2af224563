"""Logged requests, put to the candidate and to the model in production; `[shadow]` names the log.

Nobody knows the right answers: the candidate is held to what production answers. `test` has the
requests, masked. They are asked in a random order until the rules below have decided the first two
tests: the others are about the requests that were asked. With `ask = "all"` these are all.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import pytest

from tunegate import Dataset, JudgePanel, LabelRule, Limits, Predictions, Score, proportion
from tunegate.config.schema import Shadow
from tunegate.data.row_schema import RowSchema
from tunegate.results.labels import exact
from tunegate_checks.judge import pairwise
from tunegate_checks.model import answer_quality, compare, contract, jsonmatch, memorization, speed
from tunegate_checks.model.classification import accuracy, right
from tunegate_checks.model.stopping import (
    ALPHA_LEFT,
    Accuracy,
    Looks,
    PairedClaim,
    Verdict,
)

Production = Callable[[Predictions], Predictions]


def beside(predictions: Predictions, production: Production) -> Predictions:
    """Return the candidate's predictions with production's replies as the expected ones."""
    both = zip(predictions, production(predictions), strict=True)
    rows = [
        replace(p, expected=q.got, expected_calls=q.calls, error=p.error or q.error, references=())
        for p, q in both
    ]
    return Predictions(rows, model=predictions.model, test=predictions.test)


def usable(predictions: Predictions, label: LabelRule, known: Collection[str]) -> Predictions:
    """Return predictions that are right where a program can use the reply.

    It is not empty, was not cut off, and has known labels, where the task has classes.
    """
    rows = []
    for p in predictions:
        labels = label.parts(label.read(p.got) or "") if known else []
        is_known = not known or (bool(labels) and {*labels} <= {*known})
        is_usable = bool(p.got.strip() or p.calls) and p.finish != "length" and is_known
        rows.append(replace(p, expected="usable", got="usable" if is_usable else f"not: {p.got}"))
    return Predictions(rows, model=predictions.model, test=predictions.test)


@dataclass(frozen=True)
class Agreement(Accuracy):
    """Decides `test_agreement`; the fields are fixtures."""

    production: Production
    shadow: Shadow

    def __call__(self, so_far: Predictions, looks: Looks, look: int) -> Verdict:
        """Return whether it holds, and why; None for nothing yet."""
        limits = self.limits.model_copy(update={"accuracy": self.shadow.agreement})
        rule = Accuracy(self.test, self.near_rows, self.label_rule, limits, self.certain)
        verdict = rule(beside(so_far, self.production), looks, look)
        return verdict and (verdict[0], verdict[1].replace("accuracy", "agreement", 1))


@dataclass(frozen=True)
class AsUsable(PairedClaim):
    """Decides `test_replies_can_be_used`; the fields are fixtures."""

    limits: Limits
    production: Production
    known_labels: Collection[str]

    def __call__(self, so_far: Predictions, looks: Looks, look: int) -> Verdict:
        """Return whether it holds, and why; None for nothing yet."""
        sides = so_far, self.production(so_far)
        new, old = (usable(side, self.label_rule, self.known_labels) for side in sides)
        claim = replace(self, label_rule=exact)
        return claim.decide(new, looks, look, old, float(self.limits.margin))


pytestmark = pytest.mark.decided_by(rule=AsUsable)


@pytest.mark.task("classification", "multilabel", "extraction", "qa")
@pytest.mark.decided_by(rule=Agreement)
def test_agreement(
    predictions: Predictions, production: Production, label_rule: LabelRule, shadow: Shadow
) -> None:
    """Share of replies with the label of production's."""
    score = accuracy(beside(predictions, production), label=label_rule)
    score.name = "agreement"
    assert score >= shadow.agreement


def test_replies_can_be_used(
    predictions: Predictions,
    production: Production,
    label_rule: LabelRule,
    known_labels: Collection[str],
    limits: Limits,
) -> None:
    """No fewer than production's by `margin`: answered, not cut off, with a known label."""
    sides = predictions, production(predictions)
    new, old = (usable(side, label_rule, known_labels) for side in sides)
    metric = replace(right(), name="usable replies")
    assert compare.not_inferior(new, old, metric, margin=limits.margin, alpha=ALPHA_LEFT)


def test_judge_prefers_it(
    predictions: Predictions,
    production: Production,
    judge_panel: JudgePanel | None,
    shadow: Shadow,
    limits: Limits,
) -> None:
    """Share of replies that the judge prefers to production's, in either order of reading."""
    if judge_panel:
        order = sorted(predictions, key=lambda p: p.request)  # digests: a random draw
        read = predictions.without({p.row for p in order[shadow.judged :]})
        judged = pairwise.win_rate(read, over=production(read), judge=judge_panel)
        if not judged.advisory:
            assert judged >= limits.judge_wins


def test_errors(predictions: Predictions, production: Production, shadow: Shadow) -> None:
    """Share of requests without a reply, of either."""

    def errors(model: str, answers: Predictions) -> Score:
        n = len(answers.errors)
        return proportion(f"errors: {model}", n, len(answers), higher_is_better=False)

    assert errors("production", production(predictions)) <= None
    assert errors("candidate", predictions) <= shadow.errors


def test_latency_and_cost(predictions: Predictions, production: Production, limits: Limits) -> None:
    """By themselves, and the candidate's divided by production's."""
    other = production(predictions)
    for model, answers in ("production", other), ("candidate", predictions):
        scores = [speed.latency(answers, 0.5), speed.latency(answers, 0.95)]
        for score in [*scores, speed.cost_per_1000(answers)]:
            score.name = f"{model}: {score.name}"
            assert score <= None
    latency = speed.ratio(predictions, over=other, what="latency", name="production")
    cost = speed.ratio(predictions, over=other, what="cost", name="production")
    assert latency <= limits.latency_ratio
    assert cost <= limits.cost_ratio


def test_refusals(predictions: Predictions, production: Production, limits: Limits) -> None:
    """The candidate refuses where production does, and nowhere else."""
    assert not answer_quality.refusals(beside(predictions, production), most=limits.refusals)


def test_answers_end(predictions: Predictions, limits: Limits) -> None:
    assert not answer_quality.cut_off(predictions, most=limits.cut_off)


def test_valid_json(predictions: Predictions, production: Production, limits: Limits) -> None:
    """Where production's replies are JSON, so are the candidate's."""
    assert jsonmatch.valid(beside(predictions, production)) >= limits.valid_json


def test_contract(
    predictions: Predictions, row_schema: RowSchema, label_rule: LabelRule, limits: Limits
) -> None:
    assert contract.kept(predictions, row_schema, label=label_rule) >= limits.contract


def test_no_personal_data_in_answers(
    test: Dataset, predictions: Predictions, limits: Limits
) -> None:
    ignore, allow, names = limits.pii_ignore, limits.pii_allow, limits.pii_names
    assert not memorization.personal_data(
        test, predictions, ignore=ignore, allow=allow, names=names
    )
