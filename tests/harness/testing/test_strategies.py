"""The strategies for testing one's own checks: rows that are read, datasets like a given one."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import find, given, settings

from tunegate import Dataset, check
from tunegate.testing import datasets, rows
from tunegate.testing.strategies import _shapes
from tunegate.utils.optional_deps import MissingDependency

LIKE = Dataset.of(
    [
        {
            "messages": [
                {"role": "system", "content": "Which team?"},
                {"role": "user", "content": f"ticket {i}"},
                {"role": "assistant", "content": "ab"[i % 2]},
            ],
            "id": i,
            **({"note": None} if i == 3 else {}),
        }
        for i in range(6)
    ],
    "test",
)


@settings(max_examples=40, deadline=None)
@given(rows())
def test_each_row_is_read(row: dict[str, Any]) -> None:
    (example,) = Dataset.of([row])
    assert example.messages


def test_the_shapes_are_those_of_the_readers() -> None:
    from tunegate.data.formats import ROW_FORMATS

    left_out = {f.name for f in ROW_FORMATS} - {*_shapes()}
    assert left_out == {
        *(
            "KTO",
            "Label Studio",
            "Argilla 2",
            "Argilla 2 (flat)",
            "request log",
            "stored completion",
        ),
        "OpenTelemetry span",
        "several summaries",
    }


@settings(max_examples=30, deadline=None)
@given(datasets(LIKE))
def test_a_dataset_is_like_the_given_one(made: Dataset) -> None:
    assert (made.split, made.problems) == ("test", ())
    for example in made:
        assert [m["role"] for m in example.messages] == ["system", "user", "assistant"]
        assert example.system == "Which team?"
        assert example.reply in ("a", "b")
        assert example.fields["id"] in range(6)


def test_a_wrong_check_is_found_out() -> None:
    @check(name="same_id")
    def same_id(dataset: Dataset) -> Any:
        seen = set()
        for example in dataset:
            if example.fields["id"] in seen and example.reply == "a":  # forgets the others
                yield example.finding("same id", str(example.fields["id"]))
            seen.add(example.fields["id"])

    def is_wrong(made: Dataset) -> bool:
        ids = [example.fields["id"] for example in made]
        return bool(same_id(made)) != (len(ids) > len({*ids}))

    smallest = find(datasets(LIKE), is_wrong)
    assert [example.reply for example in smallest][1:] == ["b"]


def test_without_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tunegate.testing", "hypothesis"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "tunegate.testing")
    with pytest.raises(MissingDependency, match=r"pip install 'tunegate\[hypothesis\]'"):
        __import__("tunegate.testing")
