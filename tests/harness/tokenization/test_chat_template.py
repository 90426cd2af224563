"""What a chat template writes round a reply is no part of the answer; tools are rendered."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_llama import CHATML, ticket

from tunegate.data.dataset import Dataset
from tunegate.tokenization.encode import encode_example


def writing(before: str, opened: str = "") -> str:
    """Return a template that writes this before a reply, the end of it in the prompt."""
    return (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        f"{{% if m.role == 'assistant' %}}{before}{{% endif %}}{{{{ m.content }}}}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
        f"{opened}{{% endif %}}"
    )


# As Qwen3, Qwen3-Thinking, gpt-oss, and templates of one's own write a reply.
TEMPLATES = {
    "none": CHATML,
    "empty thoughts": writing("<think>\n\n</think>\n\n"),
    "opened thoughts": writing("<think>\n\n</think>\n\n", "<think>\n"),
    "a channel": writing("<|channel|>final<|message|>"),
    "a space": writing(" "),
    "a name": writing("Answer: "),
}
WRITTEN = ["", "<think>\n\n</think>\n\n", "\n</think>\n\n", "<|channel|>final<|message|>", " "]


def with_text(template: Any, text: str) -> Any:
    tokenizer = copy(template.tokenizer)
    tokenizer.chat_template = text
    return replace(template, tokenizer=tokenizer)


# As Idefics and SmolVLM have it: content is parts, and nothing else is shown.
PARTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% for part in m.content %}{% if part['type'] == 'image' %}<image>{% endif %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
EITHER = PARTS.replace(
    "{% for part", "{% if m.content is string %}{{ m.content }}{% else %}{% for part"
).replace("{% endfor %}<|im_end|>", "{% endfor %}{% endif %}<|im_end|>")
BROKEN_BY_TEXT = PARTS.replace(
    "{% for part in m.content", "{% for part in m.content[0:0] + m.content"
)


@pytest.mark.parametrize("text", [PARTS, EITHER, BROKEN_BY_TEXT])
def test_content_is_given_as_the_template_reads_it(template: Any, text: str) -> None:
    chat = with_text(template, text)
    assert chat.takes_parts == (text != EITHER)
    parts = [{"type": "text", "text": "Which "}, {"type": "text", "text": "team?"}]
    given = {"messages": [{"role": "system", "content": parts}, *ticket(1)["messages"][1:]]}
    for row in (ticket(1), given):
        (example,) = Dataset.of([row])
        messages = example.messages
        assert chat.render(messages) == template.render(messages)
        prompts = [t.token_ids(t.render(messages[:-1], prompt=True)) for t in (chat, template)]
        assert prompts[0] == prompts[1]
        assert encode_example(example, chat) == encode_example(example, template)
    folded = replace(chat, options=replace(chat.options, fold_system=True))
    assert "Which team?\n\ntrain" in folded.render(ticket(1)["messages"])


def answer(template: Any, text: str, tools: Any = ()) -> Any:
    return template.read_answer(template.token_ids(f"{text}<|im_end|>"), tools)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_reply_that_was_trained_is_read_back(template: Any, name: str) -> None:
    chat = with_text(template, TEMPLATES[name])

    @settings(max_examples=20, deadline=None)
    @given(st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1, max_size=20))
    def law(reply: str) -> None:
        asked = [{"role": "user", "content": "q"}]
        prompt = chat.render(asked, prompt=True)
        whole = chat.render([*asked, {"role": "assistant", "content": reply}])
        assert whole.startswith(prompt)
        text, reasoning, calls = chat.read_answer(chat.token_ids(whole.removeprefix(prompt)))
        assert (text, reasoning, calls) == (reply, "", ())

    law()


def test_what_the_template_writes_is_known(template: Any) -> None:
    chats = [with_text(template, text) for text in TEMPLATES.values()]
    assert [chat.written_before for chat in chats] == [*WRITTEN, "Answer: "]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("none", "<think>\nhm\n</think>\n\nbilling"),
        ("empty thoughts", "<think>\nhm\n</think>\n\nbilling"),
        ("opened thoughts", "hm\n</think>\n\nbilling"),
        (
            "a channel",
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant"
            "<|channel|>final<|message|>billing",
        ),
    ],
)
def test_reasoning_stands_apart(template: Any, name: str, text: str) -> None:
    chat = with_text(template, TEMPLATES[name])
    found, reasoning, _ = answer(chat, text)
    assert found == "billing"
    assert "hm" in reasoning


def test_white_space_of_a_template_is_no_mark_inside_a_reply(template: Any) -> None:
    assert answer(with_text(template, TEMPLATES["a space"]), "one two")[0] == "one two"


TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {}}}]
WITH_TOOLS = (
    "{% for t in tools or [] %}<{{ t.function.name }}>{% endfor %}"
    "{% for m in messages %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.arguments.city }}{% endfor %}{% endfor %}"
)


def test_tools_and_calls_are_rendered(template: Any) -> None:
    chat = with_text(template, WITH_TOOLS)
    function = {"name": "find", "arguments": json.dumps({"city": "Porto"})}
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": function}]}
    messages = [{"role": "user", "content": "where?"}, call]
    assert chat.render(messages, tools=TOOLS) == "<find>where?Porto"
    assert chat.render(messages) == "where?Porto"
    assert function["arguments"] == '{"city": "Porto"}'  # the row stays as it is


def test_calls_are_read_where_tools_were_given(template: Any) -> None:
    text = '<tool_call>\n{"name": "find", "arguments": {"city": "Porto"}}\n</tool_call>'
    call = {"name": "find", "arguments": {"city": "Porto"}}
    assert answer(template, text, TOOLS) == ("", "", [call])
    assert answer(template, text) == (text, "", ())
