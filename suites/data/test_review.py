"""People have reviewed a random sample of the rows that a model wrote, and found few errors."""

from pathlib import Path

from tunegate import Dataset, Limits
from tunegate_checks.data import review


def test_reviewed(
    dataset: Dataset, data_is_generated: bool, project_root: Path, limits: Limits
) -> None:
    # Data that is not marked as generated, all or row by row, gets a hint: who reviewed how much.
    sheets, share, errors = project_root / "reviews", limits.reviewed, limits.review_errors
    assert not review.find(
        dataset, folder=sheets, generated=data_is_generated, share=share, errors=errors
    )
