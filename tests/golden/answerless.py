"""The conftest of the project whose state is kept here: its model is known, and never asked."""

import hashlib

import pytest


class Answerless:
    """Has the digest it was trained to; whatever it answered is in the cache of answers."""

    def __init__(self, rest, root):
        self.name = "toy:" + rest
        weights = b"base" if rest == "base" else (root / rest).read_bytes()
        self.digest = hashlib.sha256(weights).hexdigest()

    def answers(self, requests):
        """Fail: an answer that was paid for would be paid for again."""
        raise AssertionError(f"{len(requests)} answers are not found in the cache any more")


@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_models(register):
    """Offer `toy:PATH`."""
    register("toy", Answerless)
