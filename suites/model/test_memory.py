"""The model does not repeat training text, its answers end, it does not refuse more often than the
baseline, and it answers general questions as well as before.
"""

from tunegate import Ask, Dataset, LabelRule, Limits, Predictions
from tunegate_checks.model import answer_quality, improvement, memorization


def test_no_training_text_comes_back(
    trained_on: Dataset, test: Dataset, predictions: Predictions
) -> None:
    assert not memorization.verbatim(trained_on, test, predictions)


def test_no_training_text_can_be_drawn_out(trained_on: Dataset, ask_model: Ask) -> None:
    assert not memorization.extraction(trained_on, ask_model, probes=20)


def test_no_personal_data_in_answers(
    test: Dataset, predictions: Predictions, limits: Limits
) -> None:
    ignore, allow, names = limits.pii_ignore, limits.pii_allow, limits.pii_names
    assert not memorization.personal_data(
        test, predictions, ignore=ignore, allow=allow, names=names
    )


def test_answers_end(predictions: Predictions, limits: Limits) -> None:
    assert not answer_quality.cut_off(predictions, most=limits.cut_off)


def test_refusals(predictions: Predictions, baseline: Predictions | None, limits: Limits) -> None:
    if baseline is not None:
        assert not answer_quality.refusals(predictions, over=baseline, most=limits.refusals)


def test_nothing_forgotten(
    general_set: Dataset, ask_model: Ask, label_rule: LabelRule, limits: Limits
) -> None:
    """On the general set, with 95 % certainty, not worse than the baseline by the limit."""
    if len(general_set):
        before, now = ask_model(general_set, "baseline"), ask_model(general_set)
        kept = improvement.change(now, over=before, label=label_rule)
        assert kept.by("lower") >= -limits.forgetting  # whatever `mode` is
