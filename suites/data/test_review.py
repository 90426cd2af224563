"""People have reviewed a random sample of the rows that a model wrote, and found few errors."""

from pathlib import Path

from tunegate import Dataset, Limits
from tunegate_checks.data import review


def test_reviewed(
    dataset: Dataset, data_is_generated: bool, project_root: Path, limits: Limits
) -> None:
    assert not review.find(
        dataset,
        folder=project_root / "reviews",
        generated=data_is_generated,  # or row by row, "generated": true; else a hint only
        share=limits.reviewed,
        errors=limits.review_errors,
    )
