"""Predictions: each question is put once, whatever breaks in between, whoever asks beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunegate import Dataset
from tunegate.interfaces.model import Answer, Request


def dataset(n: int) -> Dataset:
    return Dataset.of(
        [
            {
                "messages": [
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "content": f"question {i}"},
                    {"role": "assistant", "content": "ab"[i % 2]},
                ]
            }
            for i in range(n)
        ],
        "test",
    )


class Counting:
    """A model that writes down what it is asked; rows among `broken` have no answer."""

    name, digest = "counting", "d" * 64

    def __init__(self, *broken: int) -> None:
        self.broken, self.asked = broken, []

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for request in reversed(requests):  # in any order
            self.asked.append(request.row)
            error = "timeout" if request.row in self.broken else ""
            yield Answer(request.row, "ab"[request.row % 2], latency=0.5, error=error)
