"""The candidate beside each model of `[compare]`, on the same rows: scores, latency and cost.

Without limits, `[limits.compare.NAME]`, the tables are only shown.
"""

import pytest

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import classification, compare, improvement, overlap, speed

ComparedModels = dict[str, Predictions] | None


@pytest.mark.task("classification", "multilabel", "extraction", "tools", "qa", "code")
def test_right_answers(
    clean: Predictions,
    compared_models: ComparedModels,
    label_rule: LabelRule,
    limits: Limits,
    task: str,
) -> None:
    """Paired accuracy gain over each model; where there are classes the table has macro-F1 too."""
    if compared_models:
        metrics = [classification.right(label_rule)]
        if task in ("classification", "multilabel"):
            metrics.append(classification.averaged("F1", "macro", label_rule))
        compare.models(clean, compared_models, *metrics)
        for name, other in compared_models.items():
            name_of_gain = f"accuracy less {name}'s"
            gain = improvement.of(clean, over=other, label=label_rule, name=name_of_gain)
            assert gain >= limits.compare[name].difference


@pytest.mark.task("text", "style", "chat")
def test_texts(clean: Predictions, compared_models: ComparedModels, limits: Limits) -> None:
    """The difference in chrF, which is held to the limit, and in ROUGE-L."""
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
