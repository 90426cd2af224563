"""Where the references are JSON, so are the answers: programs cannot read other ones."""

import pytest

from tunegate import Limits, Predictions
from tunegate_checks.model import jsonmatch


def test_valid_json(clean: Predictions, limits: Limits) -> None:
    assert jsonmatch.valid(clean) >= limits.valid_json


@pytest.mark.task("extraction")
def test_fields(clean: Predictions, limits: Limits) -> None:
    """The share of answers with the right value, by field; without a limit it is only shown."""
    scores = jsonmatch.by_field(clean)
    unknown = ", ".join(limits.fields.keys() - scores.keys())
    assert not unknown, f"[limits.fields] {unknown}: the fields are {', '.join(scores)}"
    for name, score in scores.items():
        assert score >= limits.fields.get(name)
