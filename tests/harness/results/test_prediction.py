"""Predictions: their rows, those of each repetition, and what is left without some of them."""

from __future__ import annotations

from tunegate.results.prediction import Prediction, Predictions

ROWS = [
    Prediction(3, 4, "one", "a", " a "),
    Prediction(5, 7, "two", "a", "b", cost=0.5),
    Prediction(6, 8, "three", "b", "", error="timeout"),
]


def predictions(*rows: Prediction) -> Predictions:
    return Predictions(rows, model="toy:a", test="digest")


def test_what_is_said_of_predictions() -> None:
    made = predictions(*ROWS)
    assert repr(made) == "<predictions of toy:a: 3 rows, 1 errors>"
    assert (list(made), made.errors, made.repetitions) == (ROWS, ROWS[2:], ())
    assert [p.right for p in made] == [True, False, False]


def test_the_frame_has_a_column_for_each_field() -> None:
    frame = predictions(*ROWS).frame
    assert [*frame.columns] == [*Prediction.__slots__]
    assert frame["row"].tolist() == [3, 5, 6]
    assert frame["cost"].tolist() == [0.0, 0.5, 0.0]


def test_rows_that_are_left_out_are_left_out_of_each_repetition() -> None:
    times = [predictions(*ROWS), predictions(*ROWS[::-1])]
    repeated = Predictions.repeated(times)
    assert (list(repeated), repeated.model, repeated.test) == (ROWS, "toy:a", "digest")
    assert repeated.repetitions == tuple(times)
    rest = repeated.without([3, 6])
    assert ([p.row for p in rest], rest.model, rest.test) == ([5], "toy:a", "digest")
    assert [[p.row for p in time] for time in rest.repetitions] == [[5], [5]]
    assert [p.row for p in repeated.without([])] == [3, 5, 6]


def test_what_was_asked_once_has_no_repetitions() -> None:
    once = Predictions.repeated([predictions(*ROWS)])
    assert (list(once), once.model, once.repetitions) == (ROWS, "toy:a", ())
