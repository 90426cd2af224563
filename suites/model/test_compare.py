"""The candidate beside each model of `[compare]`, on the same rows: scores, latency and cost.

Without limits, `[limits.compare.NAME]`, the tables are only shown.
"""

import pytest

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import classification, compare, overlap, speed

ComparedModels = dict[str, Predictions] | None


@pytest.mark.task("classification", "multilabel")
def test_labels(
    clean: Predictions, compared_models: ComparedModels, label_rule: LabelRule, limits: Limits
) -> None:
    """The first metric is held to the limit `difference`."""
    if compared_models:
        macro_f1 = classification.averaged("F1", "macro", label_rule)
        metrics = classification.right(label_rule), macro_f1
        for name, compared in compare.models(clean, compared_models, *metrics).items():
            assert compared.difference >= limits.compare[name].difference


@pytest.mark.task("extraction", "tools", "qa", "code")
def test_answers(
    clean: Predictions, compared_models: ComparedModels, label_rule: LabelRule, limits: Limits
) -> None:
    if compared_models:
        right = classification.right(label_rule)
        for name, compared in compare.models(clean, compared_models, right).items():
            assert compared.difference >= limits.compare[name].difference


@pytest.mark.task("text", "style", "chat")
def test_texts(clean: Predictions, compared_models: ComparedModels, limits: Limits) -> None:
    if compared_models:
        metrics = overlap.chrf(), overlap.rouge("L")  # pip install 'tunegate[text]'
        for name, compared in compare.models(clean, compared_models, *metrics).items():
            assert compared.difference >= limits.compare[name].difference


def test_latency_and_cost(
    predictions: Predictions, compared_models: ComparedModels, limits: Limits
) -> None:
    """The candidate's figures divided by those of each model."""
    for name, other in (compared_models or {}).items():
        latency = speed.ratio(predictions, over=other, what="latency", name=name)
        cost = speed.ratio(predictions, over=other, what="cost", name=name)
        assert latency <= limits.compare[name].latency_ratio
        assert cost <= limits.compare[name].cost_ratio
