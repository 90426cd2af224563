"""For style and qa: answers are closer to the references than the baseline's, by chrF and ROUGE-L.

Good values depend on the task: without a limit they are only shown. These two tasks need
`pip install 'tunegate[text]'`.
"""

from tunegate import Limits, Predictions
from tunegate_checks.model import compare, overlap
from tunegate_checks.model.overlap import rouge

TASKS = ("style", "qa")


def test_closer_than_the_baseline(clean: Predictions, baseline: Predictions, task: str) -> None:
    if task in TASKS:
        chrf = compare.superior(clean, baseline, overlap.chrf())
        assert chrf


def test_overlap(clean: Predictions, task: str, limits: Limits) -> None:
    if task in TASKS:
        assert overlap.chrf()(clean).by(limits.mode) >= limits.chrf
        assert rouge("L")(clean).by(limits.mode) >= limits.rouge_l
