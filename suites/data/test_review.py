"""What a model wrote, a person has read: a random sample of it, with few errors. A hint says what
was reviewed, and by whom, of data that nobody marked as generated.
"""

from pathlib import Path

from tunegate import Dataset
from tunegate.config.schema import Limits, load
from tunegate_checks.data import review


def test_reviewed(dataset: Dataset, project_root: Path, limits: Limits) -> None:
    generated = load(project_root).data.generated  # or row by row: "generated": true
    found = review.find(
        dataset,
        folder=project_root / "reviews",
        generated=generated,
        share=limits.reviewed,
        errors=limits.review_errors,
    )
    assert not found
