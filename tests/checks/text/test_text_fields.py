"""What fix writes to is what the checks read: the same texts with the same words before them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tunegate.data.dataset import Dataset
from tunegate_checks.text.text_fields import map_texts, text_fields

words = st.sampled_from(["CPF?", "call 12", "data:x", "", "x" * 100])
values = st.recursive(
    words | st.integers(0, 99) | st.booleans() | st.none() | st.floats(0, 1),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["content", "type", "role", "phone", "a b"]), inner)
    ),
    max_leaves=5,
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]), "content": words | st.none()},
    optional={"tool_calls": values, "name": words},
)
rejected = st.lists(messages, min_size=1, max_size=1) | values
rows = st.builds(
    lambda told, more, other: {"messages": told, **more, **({"rejected": other} if other else {})},
    st.lists(messages, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["meta", "e-mail", "x y"]), values, max_size=2),
    rejected,
).filter(lambda row: len(Dataset.of([row])) == 1)


@given(rows)
def test_the_same_texts_in_the_same_order(fields: dict[str, Any]) -> None:
    read: list[tuple[str, str, str]] = []

    def noted(path: str, before: str, text: str) -> str:
        read.append((path, before, text))
        return text

    assert map_texts(fields, noted) is fields
    found = [(p.path, p.context, p.text) for _, p in text_fields(Dataset.of([fields]))]
    assert read == found


@given(rows)
def test_each_text_can_be_replaced(fields: dict[str, Any]) -> None:
    left: list[str] = []
    changed = map_texts(fields, lambda path, before, text: "new")
    map_texts(changed, lambda path, before, text: left.append(text) or text)  # type: ignore[func-returns-value]
    assert set(left) <= {"new"}
