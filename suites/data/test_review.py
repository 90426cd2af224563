"""People have reviewed a random sample of the rows that a model wrote, and found few errors. For
data that is not marked as generated, a hint says what was reviewed and by whom.
"""

from pathlib import Path

from tunegate import Dataset
from tunegate.config.schema import Limits, load
from tunegate_checks.data import review


def test_reviewed(dataset: Dataset, project_root: Path, limits: Limits) -> None:
    generated = load(project_root).data.generated  # or row by row: "generated": true
    findings = review.find(
        dataset,
        folder=project_root / "reviews",
        generated=generated,
        share=limits.reviewed,
        errors=limits.review_errors,
    )
    assert not findings
