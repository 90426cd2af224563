"""Fixtures of this suite, and what a reply of production, not a right answer, is compared by."""

from collections.abc import Callable, Collection

import pytest

from tunegate import Ask, Dataset, Prediction, Predictions

KNOWN = ("latency", "tokens", "prompt_tokens", "finish")  # what a log can say of a reply


@pytest.fixture(scope="session")
def production(test: Dataset, ask_model: Ask) -> Callable[[Predictions], Predictions]:
    """Returns production's predictions on the rows that the candidate was asked, each asked once.

    They are those of the promoted model; before the first promotion, the replies in the log.
    """
    answers: dict[int, Prediction] = {}
    asked: list[str] = []  # the names of the models that answered

    def on_same_rows(predictions: Predictions) -> Predictions:
        if new := {p.row for p in predictions} - answers.keys():
            rows = Dataset(
                [e for e in test if e.row in new], digest=test.digest, reading=test.reading
            )
            replies = ask_model(rows, "incumbent") or Predictions(
                [logged(p) for p in predictions if p.row in new], model="the log"
            )
            answers.update({p.row: p for p in replies})
            asked.append(replies.model)
        same = [answers[p.row] for p in predictions]
        return Predictions(same, model=asked[-1] if asked else "", test=predictions.test)

    return on_same_rows


def logged(prediction: Prediction) -> Prediction:
    """Return the reply that the log holds, which the row expects, as a prediction."""
    facts = prediction.fields["logged"]
    has_reply = prediction.expected or prediction.expected_calls
    return Prediction(
        prediction.row,
        prediction.line,
        prediction.prompt,
        prediction.expected,
        prediction.expected,
        "" if has_reply else "the log holds no reply",
        calls=prediction.expected_calls,
        given=prediction.given,
        group=prediction.group,
        request=prediction.request,
        fields=prediction.fields,
        **{name: facts[name] for name in KNOWN if name in facts},
    )


@pytest.fixture(scope="session")
def near_rows() -> Collection[int]:
    """No request is set apart: that training has a row like it is what one hopes for."""
    return ()


@pytest.fixture(scope="session")
def known_labels(trained_on: Dataset, task: str) -> Collection[str]:
    """The labels that a reply may have; none where the task has no classes."""
    has_classes = task in ("classification", "multilabel")
    return {label for row in trained_on for label in row.labels} if has_classes else ()
