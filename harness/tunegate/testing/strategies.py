"""Strategies of hypothesis: rows of the shapes that are read, and datasets like a given one."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import product
from typing import Any

from hypothesis import strategies as st

from ..data.dataset import Dataset
from ..data.formats import ROW_FORMATS, to_messages
from ..data.formats.row_format import assistant_message, user_message
from ..utils.strict_json import Unreadable

Shape = dict[str, Callable[[str], Any]]  # by field, what a text makes it hold

# A few letters of each kind: the table of all characters takes hypothesis seconds.
_TEXTS = st.text("abzAZ019 .,;:!?'\"`{}[]<>|\\/\n\t\r\0\u200b\u202eáçÉßи東あ😀", max_size=40)
_MESSAGE = {"role": st.sampled_from(["system", "user", "assistant"]), "content": _TEXTS}
_CHATS = st.lists(st.fixed_dictionaries(_MESSAGE), min_size=1, max_size=6)
_VALUES: tuple[Callable[[str], Any], ...] = (
    lambda t: t, lambda t: [t], lambda t: [user_message(t), assistant_message(t)],
    lambda t: [{"from": "human", "value": t}, {"from": "gpt", "value": t}],
    lambda t: [{"role": role, "parts": [{"text": t}]} for role in ("user", "model")],
    lambda t: {"messages": [user_message(t)]}, lambda t: {"en": t, "pt": t},
    lambda t: f"\n\nHuman: {t}\n\nAssistant: {t}",
)  # fmt: skip


@cache
def _shapes() -> dict[str, list[Shape]]:
    """Return by the format that reads them what fields can hold."""
    found = defaultdict[str, list[Shape]](list)
    for names in dict.fromkeys(row_format.required for row_format in ROW_FORMATS):
        for values in product(_VALUES, repeat=len(names)):
            shape = dict(zip(sorted(names), values, strict=True))
            with suppress(Unreadable):
                found[to_messages({k: v("Hi") for k, v in shape.items()})[0].name].append(shape)
    return found


def rows() -> st.SearchStrategy[dict[str, Any]]:
    """Return rows that `Dataset.of` reads, of every shape but exports of tools and request logs."""
    shaped = st.sampled_from([*_shapes().values()]).flatmap(st.sampled_from).flatmap(
        lambda shape: st.fixed_dictionaries({k: _TEXTS.map(v) for k, v in shape.items()})
    )  # fmt: skip
    made = st.fixed_dictionaries({"messages": _CHATS}) | shaped
    return made.filter(lambda row: len(Dataset.of([row])) == 1)


@st.composite
def datasets(draw: st.DrawFn, like: Dataset, max_size: int = 10) -> Dataset:
    """Return datasets whose rows have the fields of a row of `like`, and values of any of them."""
    values = defaultdict[object, list[Any]](list)  # by field; messages by role
    for example in like:
        for name, value in example.fields.items():
            values[name].append(value)
        for message in example.messages:
            values["role", message["role"]].append(message)
    made: list[dict[str, Any]] = []
    for example in draw(st.lists(st.sampled_from(like), min_size=1, max_size=max_size)):
        keys = [*example.fields, *(("role", m["role"]) for m in example.messages)]
        drawn = [draw(st.sampled_from(values[key])) for key in keys]
        row = dict(zip(example.fields, drawn, strict=False))
        made.append({**row, "messages": drawn[len(row) :]})
    return Dataset.of(made, like.split, like.reading)
