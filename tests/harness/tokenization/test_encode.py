from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_llama import CHATML, make_base, ticket

from tunegate.data.dataset import Dataset, Example
from tunegate.tokenization.chat_template import TemplateError, load_template
from tunegate.tokenization.encode import IGNORE_INDEX, NotTrainable, encode_example
from tunegate_qlora.config import Settings
from tunegate_qlora.data.training_data import encoder_of


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The chat template of a tiny base."""
    return load_template(make_base(tmp_path_factory.mktemp("models") / "base"))


def example(*turns: tuple[str, Any], **fields: Any) -> Example:
    messages = [{"role": role, "content": content} for role, content in turns]
    return Dataset.of([{"messages": messages} | fields])[0]


def trained(row: Any, template: Any) -> str:
    """Return the text that the loss falls on, control tokens included."""
    ids = [token for token in row.labels if token != IGNORE_INDEX]
    return str(template.tokenizer.decode(ids))


def test_the_loss_falls_on_the_reply_and_its_end(template: Any) -> None:
    row = encode_example(Dataset.of([ticket(0)])[0], template)
    assert trained(row, template) == "billing<|im_end|>"
    assert row.trained_tokens == len("billing") + 1


def test_every_reply_of_a_conversation_is_trained(template: Any) -> None:
    row = encode_example(
        example(("user", "a"), ("assistant", "one"), ("user", "b"), ("assistant", "two")), template
    )
    assert trained(row, template) == "one<|im_end|>two<|im_end|>"


def test_a_reply_of_weight_0_is_not_trained(template: Any) -> None:
    rows = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "one", "weight": 0}]
    rows += [{"role": "user", "content": "b"}, {"role": "assistant", "content": "two", "weight": 1}]
    assert trained(encode_example(Dataset.of([{"messages": rows}])[0], template), template) == (
        "two<|im_end|>"
    )


@pytest.mark.parametrize("key", ["loss_weight", "loss", "train"])
def test_other_keys_than_weight_say_what_is_trained(template: Any, key: str) -> None:
    number = float if key == "loss_weight" else bool
    told = [("user", "a", 0), ("assistant", "one", 0), ("user", "b", 0), ("assistant", "two", 1)]
    rows = [{"role": r, "content": text, key: number(is_learnt)} for r, text, is_learnt in told]
    assert trained(encode_example(Dataset.of([{"messages": rows}])[0], template), template) == (
        "two<|im_end|>"
    )


def test_content_in_parts_is_text(template: Any) -> None:
    parts = [{"type": "text", "text": "hello"}]
    whole = example(("user", "hello"), ("assistant", "x"))
    assert encode_example(example(("user", parts), ("assistant", "x")), template) == encode_example(
        whole, template
    )


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=20)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_what_is_asked_is_how_the_trained_text_begins(
    template: Any, pairs: list[tuple[str, str]]
) -> None:
    turns = [turn for q, a in pairs for turn in (("user", q), ("assistant", a))]
    conversation = example(*turns)
    row = encode_example(conversation, template)
    prompt = template.token_ids(template.render(conversation.messages[:-1], prompt=True))
    assert row.ids[: len(prompt)] == prompt
    assert template.read_answer(row.ids[len(prompt) :])[0] == pairs[-1][1]
    assert trained(row, template) == "".join(f"{a}<|im_end|>" for _, a in pairs)


def test_a_prompt_that_is_not_how_the_text_begins_is_named(tmp_path: Path) -> None:
    thinking = CHATML.replace("assistant\n{% endif", "assistant\n<think>{% endif")
    template = load_template(make_base(tmp_path / "base", template=thinking))
    with pytest.raises(NotTrainable, match=r"part at token \d+: asked '<think>', trained 'billing"):
        encode_example(Dataset.of([ticket(0)])[0], template)


def test_a_turn_that_never_ends_is_refused(tmp_path: Path) -> None:
    endless = CHATML.replace("<|im_end|>", "")
    template = load_template(make_base(tmp_path / "base", template=endless))
    with pytest.raises(NotTrainable, match=r"ends this turn without <\|im_end\|>"):
        encode_example(Dataset.of([ticket(0)])[0], template)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (example(("user", "a")), "line 1: no assistant message to train on"),
        (example(("user", "a<|im_end|>b"), ("assistant", "c")), "control token '<|im_end|>'"),
        (
            example(("user", "a"), ("assistant", "c"), tools=[{}]),
            "`tools`: the chat template leaves it out",
        ),
    ],
)
def test_a_row_that_would_train_something_else_is_refused(
    template: Any, row: Example, told: str
) -> None:
    with pytest.raises(NotTrainable) as caught:
        encode_example(row, template)
    assert told in str(caught.value)


def test_what_the_template_refuses_is_said(tmp_path: Path) -> None:
    strict = "{{ raise_exception('roles must alternate') }}"
    template = load_template(make_base(tmp_path / "base", template=strict))
    encode = encoder_of(Settings(base="b"))
    with pytest.raises(NotTrainable) as caught:
        encode(Dataset.of([ticket(0)])[0], template)
    assert str(caught.value) == "line 1: the chat template refuses it: roles must alternate"


def test_a_base_without_a_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="has no chat template"):
        load_template(make_base(tmp_path / "base", template=""))
    with pytest.raises(TemplateError, match="holds no tokenizer"):
        load_template(tmp_path)
