"""A model of a few lines of Python, as the fixture `ask` would put questions to it."""

from __future__ import annotations

from collections.abc import Callable

from tunegate import Dataset, Predictions
from tunegate.models.predict import request_of
from tunegate.results.prediction import Prediction

Reply = Callable[[str], str]


def tickets(rows: list[tuple[str, str]], split: str = "test") -> Dataset:
    """Return a dataset of (question, reply), with a system prompt."""
    return Dataset.of(
        [
            {
                "messages": [
                    {"role": "system", "content": "Which team?"},
                    {"role": "user", "content": asked},
                    {"role": "assistant", "content": reply},
                ]
            }
            for asked, reply in rows
        ],
        split=split,
    )


class Asked:
    """Answers by a function of the last message; TimeoutError makes an error. Counts batches."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.batches: list[int] = []

    def __call__(self, dataset: Dataset, role: str = "candidate") -> Predictions:
        self.batches.append(len(dataset))
        return self.of(dataset)

    def of(self, dataset: Dataset) -> Predictions:
        """Return the predictions over a dataset, uncounted."""
        return Predictions([self._one(i, dataset) for i in range(len(dataset))])

    def _one(self, i: int, dataset: Dataset) -> Prediction:
        example = dataset[i]
        text = str(request_of(example).messages[-1]["content"])
        try:
            got, error = self.reply(text), ""
        except TimeoutError as raised:
            got, error = "", str(raised)
        return Prediction(example.row, example.line, example.prompt, example.reply, got, error)


def silent(dataset: Dataset, role: str = "candidate") -> Predictions:
    """Answer nothing, as a file of answers does."""
    return Predictions([])
