"""For style and qa: answers closer to the references than the baseline's, by letters and words.

What chrF and ROUGE-L should be nobody can say beforehand: without a limit they are shown. Needs
`pip install 'tunegate[text]'` for these two tasks.
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
