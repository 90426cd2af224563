"""One system prompt, output format and label spelling: a model learns chance differences too."""

import pytest

from tunegate import Dataset
from tunegate_checks.data import consistency


def test_one_system_prompt(dataset: Dataset) -> None:
    assert not consistency.system_prompt(dataset)


def test_system_prompt_of_training(train: Dataset, dataset: Dataset) -> None:
    assert not consistency.across(train, dataset)


def test_system_prompt_of_inference(dataset: Dataset, inference_prompt: str | None) -> None:
    # None unless the configuration names a file: data.system = "prompts/system.txt"
    assert inference_prompt is None or not consistency.inference(dataset, inference_prompt)


def test_output_format(dataset: Dataset, task: str) -> None:
    assert not consistency.output_format(dataset, task=task)


@pytest.mark.task("classification", "multilabel")
def test_labels_seen_in_training(train: Dataset, dataset: Dataset) -> None:
    assert not consistency.labels(train, dataset)
