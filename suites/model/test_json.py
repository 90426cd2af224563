"""Where the references are JSON, so are the answers: programs cannot read other ones."""

from tunegate import Limits, Predictions
from tunegate_checks.model import jsonmatch


def test_valid_json(clean: Predictions, limits: Limits) -> None:
    assert jsonmatch.valid(clean) >= limits.valid_json
