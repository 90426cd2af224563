"""With `--repeat K` each question is asked K times: how far the scores spread, and how often the
commonest answer, one of the K (pass@k) or all K (pass^k) are right. Other tests judge the first.
"""

import pytest

from tunegate import LabelRule, Limits, Predictions
from tunegate_checks.model import classification, overlap, repeats


@pytest.mark.task("classification", "multilabel", "extraction", "tools", "qa", "code")
def test_right_answers(clean: Predictions, label_rule: LabelRule, limits: Limits) -> None:
    repeats.spread(clean, classification.right(label_rule))
    assert repeats.majority(clean, label=label_rule) >= limits.majority
    assert repeats.pass_at_k(clean, label=label_rule) >= limits.pass_at_k
    assert repeats.pass_hat_k(clean, label=label_rule) >= limits.pass_hat_k


@pytest.mark.task("text", "style", "chat")
def test_spread_of_texts(clean: Predictions) -> None:
    repeats.spread(clean, overlap.chrf(), overlap.rouge("L"))  # pip install 'tunegate[text]'
