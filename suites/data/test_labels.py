"""Equal prompts have one label: a model cannot learn two contradicting answers."""

from tunegate import Dataset
from tunegate_checks.data import labels


def test_no_contradictions(dataset: Dataset) -> None:
    assert not labels.contradictions(dataset)


def test_labels_fit_their_questions(train: Dataset) -> None:
    assert not labels.errors(train)  # hints only: rows that a person should check
