"""Rows of other shapes become messages, and the dataset says so."""

import json
from typing import Any

import pytest

from tunegate.data.dataset import Dataset

SAID = [("user", "Hi"), ("assistant", "Hello")]


def spoken(row: dict[str, Any]) -> list[tuple[str, Any]]:
    (example,) = Dataset.of([row])
    return [(m["role"], m["content"]) for m in example.messages]


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"instruction": "Hi", "output": "Hello"}, SAID),
        ({"instruction": "Hi", "input": "", "output": "Hello"}, SAID),
        ({"instruction": "Hi", "input": None, "output": "Hello"}, SAID),
        (
            {"instruction": "Say", "input": "Hi", "output": "Hello"},
            [("user", "Say\n\nHi"), SAID[1]],
        ),
        ({"system": "Be", "instruction": "Hi", "output": "Hello"}, [("system", "Be"), *SAID]),
        ({"instruction": "Hi", "output": "Hello", "history": [["Hi", "Hello"]]}, SAID * 2),
        ({"prompt": "Hi", "completion": "Hello"}, SAID),
        ({"prompt": "Hi", "completion": " Hello"}, [SAID[0], ("assistant", " Hello")]),
        (
            {
                "prompt": [{"role": "user", "content": "Hi"}],
                "completion": [{"role": "assistant", "content": "Hello"}],
            },
            SAID,
        ),
        (
            {
                "conversations": [
                    {"from": "human", "value": "Hi"},
                    {"from": "gpt", "value": "Hello"},
                ]
            },
            SAID,
        ),
        ({"conversations": [{"role": "user", "content": "Hi"}]}, SAID[:1]),
        (
            {
                "conversations": [
                    {"from": "system", "value": "Be"},
                    {"from": "user", "value": "Hi"},
                    {"from": "chatgpt", "value": "Hello"},
                    {"from": "human", "value": "Hi"},
                    {"from": "model", "value": "Hello"},
                    {"from": "human", "value": "Hi"},
                    {"from": "assistant", "value": "Hello"},
                ]
            },
            [("system", "Be"), *SAID * 3],
        ),
        ({"system": "Be", "prompt": "Hi", "completion": "Hello"}, [("system", "Be"), *SAID]),
        (
            {
                "system": "Be",
                "prompt": [{"role": "user", "content": "Hi"}],
                "completion": [{"role": "assistant", "content": "Hello"}],
            },
            [("system", "Be"), *SAID],
        ),
        ({"system": "", "prompt": "Hi", "completion": "Hello"}, SAID),
        (
            {"system": "Be", "conversations": [{"from": "user", "value": "Hi"}]},
            [("system", "Be"), SAID[0]],
        ),
    ],
)
def test_a_row_becomes_messages(row: dict[str, Any], messages: list[tuple[str, str]]) -> None:
    assert spoken(row) == messages


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"instruction": "Hi", "output": 3}, "output is a number; a text is needed"),
        ({"instruction": ["Hi"], "output": "Hello"}, "instruction is an array; a text is needed"),
        ({"instruction": "Hi", "output": "Hello", "history": ["Hi"]}, "history[0] is not a pair"),
        ({"instruction": "Hi", "output": "Hello", "history": 7}, "history[0] is not a pair"),
        ({"prompt": "Hi", "completion": None}, "completion is null; a text is needed"),
        ({"prompt": [], "completion": []}, "messages is empty"),
        ({"instruction": "Hi", "output": True}, "output is a boolean; a text is needed"),
        ({"system": 3, "prompt": "Hi", "completion": "a"}, "system is a number; a text is needed"),
        (
            dict.fromkeys("abcdefg") | {"x" * 31: 1},
            "no `messages`; the row has a, b, c, d, e, f; a row needs what the model is given and",
        ),
        ({"x" * 31: 1, "\xe9": 2}, f"the row has {'x' * 30}, \\xe9; a row"),
        ({}, "the row has no fields at all; a row needs"),
        ({"conversations": {}}, "conversations is an object; a list is needed"),
        ({"conversations": []}, "messages is empty"),
        ({"conversations": [3]}, "conversations[0] is a number; an object is needed"),
        (
            {"conversations": [{"from": "bot", "value": "Hi"}]},
            "conversations[0].from is 'bot'; one of",
        ),
        ({"conversations": [{"from": ["gpt"], "value": "Hi"}]}, "conversations[0].from is"),
        ({"conversations": [{"from": "gpt", "value": 3}]}, "conversations[0].value is a number"),
        ({"conversations": [{"from": "gpt"}]}, "conversations[0].value is missing"),
        ({"prompt": "Hi", "chosen": "a"}, "the row has prompt, chosen; the nearest known shape is"),
    ],
)
def test_a_row_that_cannot_become_messages_is_a_finding(row: dict[str, Any], says: str) -> None:
    dataset = Dataset.of([row])
    assert len(dataset) == 0
    (problem,) = dataset.problems
    assert problem.kind == "shape"
    assert says in problem.evidence
    assert not problem.hint


def test_the_dataset_says_what_it_was_read_as_and_keeps_the_other_fields() -> None:
    dataset = Dataset.of([{"instruction": "Hi", "output": "Hello", "language": "en"}])
    assert set(dataset[0].fields) == {"messages", "language"}
    (note,) = dataset.problems
    assert note.hint
    assert note.evidence == "read as Alpaca: instruction, input and output became messages"


OWN = {"language": "en", "weight": 0.5}
CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    "row",
    [
        {
            "instruction": "Hi",
            "input": "",
            "output": "Hello",
            "system": "Be",
            "history": [["Hi", "Hello"]],
        },
        {"conversations": [{"from": "human", "value": "Hi"}], "system": "Be"},
        {"prompt": "Hi", "completion": "Hello", "system": "Be"},
        {"prompt": "Hi", "chosen": "Hello", "rejected": "What", "system": "Be"},
        {"prompt": "Hi", "chosen": CHAT, "rejected": CHAT, "messages": CHAT},
    ],
)
def test_what_messages_are_made_of_is_not_kept_beside_them(row: dict[str, Any]) -> None:
    (example,) = Dataset.of([row | OWN])
    kept = {"messages", *OWN} | {key for key in ("rejected",) if key in row}
    assert set(example.fields) - {"prompt"} == kept


def test_what_a_turn_holds_beside_its_text_is_kept() -> None:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello", "weight": 0}]
    (example,) = Dataset.of([{"conversations": turns}])
    assert list(example.messages) == [CHAT[0], CHAT[1] | {"weight": 0}]


def test_a_turn_that_is_a_message_is_taken_as_it_is() -> None:
    turn = {"role": "assistant", "content": "Hello", "from": "gpt", "value": 3}
    (example,) = Dataset.of([{"conversations": [CHAT[0], turn]}])
    assert list(example.messages) == [CHAT[0], turn]


@pytest.mark.parametrize(
    ("row", "read_as"),
    [
        ({"conversations": CHAT, "instruction": "a", "output": "b"}, "ShareGPT"),
        (
            {"instruction": "a", "output": "b", "prompt": "c", "completion": "d"},
            "Alpaca",
        ),
        ({"prompt": "c", "completion": "d", "chosen": "e", "rejected": "f"}, "prompt and"),
    ],
)
def test_a_row_of_two_shapes_is_read_as_the_first(row: dict[str, Any], read_as: str) -> None:
    (note,) = Dataset.of([row]).problems
    assert note.evidence.startswith(f"read as {read_as}")


def test_chat_rows_are_taken_as_they_are_without_a_word() -> None:
    row = {"messages": [{"role": "user", "content": "Hi"}], "prompt": "kept", "completion": "kept"}
    dataset = Dataset.of([row])
    assert dict(dataset[0].fields) == row
    assert dataset.problems == ()


def test_a_file_that_mixes_shapes_says_how_many_rows_of_each() -> None:
    chat = {"messages": [{"role": "user", "content": "Hi"}]}
    dataset = Dataset.of([chat, chat, {"prompt": "Hi", "completion": "Hello"}])
    assert len(dataset) == 3
    assert "(1 of 3 rows: the file mixes shapes)" in dataset.problems[0].evidence


def test_an_array_of_alpaca_rows_is_read() -> None:
    rows = [{"instruction": "Hi", "input": "", "output": str(i)} for i in range(3)]
    dataset = Dataset.parse(json.dumps(rows, indent=2).encode())
    assert [e.reply for e in dataset] == ["0", "1", "2"]
    assert [e.line for e in dataset] == [2, 7, 12]
