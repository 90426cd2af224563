from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_llama import ticket

from tunegate.data.dataset import Dataset
from tunegate.tokenization.encode import encode_example
from tunegate_qlora.commands.tokens import CONTINUATION, TokenView, view_row
from tunegate_qlora.config import Settings

ANY = st.text(st.characters(codec="utf-8", exclude_characters="<…\ufffd"), max_size=30)


@pytest.fixture
def look(template: Any, base: Path) -> Any:
    """See a row under the trainer's settings."""

    def see_row(row: dict[str, Any], **said: Any) -> TokenView:
        example = Dataset.of([row])[0]
        return view_row(example, template, Settings(base="base", **said), base)[0]

    return see_row


def conversation(*texts: str, **last: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    messages[-1] |= last
    return {"messages": messages}


@settings(max_examples=50, deadline=None)
@given(st.tuples(ANY, ANY))
def test_tokens_are_the_trained_text_and_the_trained_labels(
    template: Any, base: Path, texts: tuple[str, str]
) -> None:
    example = Dataset.of([conversation(*texts)])[0]
    (seen,) = view_row(example, template, Settings(base="base", max_length=999), base)
    row = encode_example(example, template)
    assert [t.trained for t in seen.tokens] == [label != -100 for label in row.labels]
    if not seen.refused:  # a context of 256 tokens, one a byte
        text = "".join(t.text for t in seen.tokens if t.text != CONTINUATION)
        assert text == template.render(example.messages)


def test_a_character_of_several_tokens_stands_at_its_first(look: Any) -> None:
    seen = look(conversation("x", "né 😀"))
    assert [t.text for t in seen.tokens if t.trained] == [
        *(
            "n",
            "é",
            CONTINUATION,
            " ",
            "😀",
            CONTINUATION,
            CONTINUATION,
            CONTINUATION,
            "<|im_end|>",
        ),
    ]


def test_the_end_of_each_turn_is_counted(look: Any) -> None:
    assert look(conversation("a", "b", "c", "d")).turn_ends == (2, 2)
    assert look(conversation("a", "b", "c", "d", weight=0)).turn_ends == (1, 1)


def test_a_row_that_is_refused_is_shown_whole(look: Any) -> None:
    seen = look(conversation("a", "b", weight=0))
    assert "no assistant message to train on" in seen.refused
    assert seen.length == len(seen.tokens) > 0
    assert not any(token.trained for token in seen.tokens)


@pytest.mark.parametrize("on_overflow", ["raise", "drop", "truncate"])
def test_a_row_that_is_too_long_is_shown_as_it_is_trained_on(look: Any, on_overflow: str) -> None:
    whole = look(ticket(0))
    seen = look(ticket(0), max_length=whole.length - 5, on_overflow=on_overflow)
    assert seen.length == whole.length
    assert bool(seen.refused) == (on_overflow == "raise")
    head = len("_system\nWhich team?__user\n") + 1  # the system message, and the user's turn begun
    cut = whole.tokens[:head] + whole.tokens[head + 5 :]
    assert seen.tokens == (cut if on_overflow == "truncate" else whole.tokens)
