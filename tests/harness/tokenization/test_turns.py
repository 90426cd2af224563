"""Learnt spans are the trained turns, in templates shaped as those of many families."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.data.dataset import Dataset
from tunegate.tokenization.chat_template import ChatTemplate, TemplateOptions
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow, NotTrainable, encode_example

SPECIAL = ["<|pad|>", "<|go|>", "<|end|>", "<|return|>", "<|channel|>", "<|message|>"]
SPECIAL += ["<|user|>", "<|assistant|>", "<|system|>", "<|tool|>", "<|stop|>"]
LOOP = "{% for m in messages %}{{ '<|' + m.role + '|>' }}"
END = "{% endfor %}{% if add_generation_prompt %}<|assistant|>"
CHATML = (
    "{% for m in messages %}{{ '<|go|>' + m.role + '\n' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|go|>assistant\n' }}{% endif %}"
)
HARMONY = (
    "{% for m in messages %}{{ '<|go|>' + m.role }}{% if m.role == 'assistant' %}<|channel|>final"
    "{% endif %}<|message|>{{ m.content }}{% if loop.last and m.role == 'assistant' %}<|return|>"
    "{% else %}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|go|>assistant"
    "{% endif %}"
)
PHI = LOOP + "{{ m.content }}<|end|>" + END + "{% else %}<|stop|>{% endif %}"
GLM = LOOP + "\n{{ m.content | trim }}" + END + "{% endif %}"
QWEN = (
    LOOP + "{% if m.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m.content }}<|end|>" + END + "{% endif %}"
)
R1 = LOOP + "{{ m.content }}<|end|>" + END + "{{ '<think>\n' }}{% endif %}"
QWEN35 = (
    LOOP + "{% if m.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m.content }}<|end|>" + END + "{% if enable_thinking is defined and not enable_thinking %}"
    "{{ '<think>\n\n</think>\n\n' }}{% else %}{{ '<think>\n' }}{% endif %}{% endif %}"
)
GEMMA = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}" + LOOP + "{{ m.content | trim }}<|end|>" + END + "{% endif %}"
)
HERMES = (
    "{% for t in tools or [] %}<|system|>{{ t | tojson }}<|end|>{% endfor %}"
    + LOOP
    + "{{ m.content if m.role != 'tool' else m.content | tojson }}"
    "{% for c in m.tool_calls or [] %}{{ '<tool_call>' }}{{ c.function | tojson }}"
    "{{ '</tool_call>' }}{% endfor %}<|end|>" + END + "{% endif %}"
)


def chat(text: str, stops: list[str], **options: Any) -> ChatTemplate:
    """Return a template whose tokenizer knows bytes and these control tokens."""
    pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ċ", "Ċ")]  # two line ends are one token, as since Llama 3
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *letters, "ĊĊ"])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token=stops[0], pad_token="<|pad|>",
        additional_special_tokens=[s for s in SPECIAL if s not in (stops[0], "<|pad|>")],
    )  # fmt: skip
    tokenizer.chat_template = text
    ids = frozenset(vocabulary[stop] for stop in stops)
    control = re.compile("|".join(map(re.escape, SPECIAL)))
    return ChatTemplate(tokenizer, ids, control, TemplateOptions(**options))


def encode(template: ChatTemplate, *messages: dict[str, Any], **fields: Any) -> EncodedRow:
    return encode_example(Dataset.of([{"messages": [*messages], **fields}])[0], template)


def spans(row: EncodedRow, template: ChatTemplate) -> list[str]:
    """Return the text of each unbroken run of learnt tokens."""
    learnt = [
        i if label != IGNORE_INDEX else None for i, label in zip(row.ids, row.labels, strict=True)
    ]
    runs: list[list[int]] = [[]]
    for token in learnt:
        runs = [*runs, []] if token is None else [*runs[:-1], [*runs[-1], token]]
    return [template.tokenizer.decode(run) for run in runs if run]


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def reply(text: str | None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


# The template, what ends a turn, and what is learnt round an earlier reply and round the last.
FAMILIES = {
    "chatml": (CHATML, ["<|end|>"], ("", "<|end|>"), ("", "<|end|>")),
    "channels": (
        *(HARMONY, ["<|return|>"]),
        ("<|channel|>final<|message|>", ""),
        ("<|channel|>final<|message|>", "<|return|>"),
    ),
    "text ends otherwise": (PHI, ["<|stop|>"], ("", "<|end|>"), ("", "<|end|><|stop|>")),
    "both ends are known": (PHI, ["<|stop|>", "<|end|>"], ("", "<|end|>"), ("", "<|end|>")),
    "next role ends": (GLM, ["<|stop|>", "<|user|>"], ("\n", "<|user|>"), ("\n", "<|user|>")),
    "empty thoughts": (QWEN, ["<|end|>"], ("", "<|end|>"), ("<think>\n\n</think>\n\n", "<|end|>")),
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="<\n"), min_size=1, max_size=9).map(
    lambda text: f"x{text}x"
)


@pytest.mark.parametrize("family", FAMILIES)
def test_learnt_spans_are_the_trained_turns(family: str) -> None:
    text, stops, earlier, last = FAMILIES[family]
    template = chat(text, stops)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from([0, 1])), min_size=1, max_size=4))
    def law(turns: list[tuple[str, str, int]]) -> None:
        trained = [i for i, (_, _, weight) in enumerate(turns) if weight]
        messages = [m for q, a, w in turns for m in (user(q), reply(a, weight=w))]
        if not trained:
            with pytest.raises(NotTrainable, match="no assistant message to train on"):
                encode(template, *messages)
            return
        found = spans(encode(template, *messages), template)
        wrappers = {i: last if i == trained[-1] else earlier for i in trained}
        assert found == [f"{wrappers[i][0]}{turns[i][1]}{wrappers[i][1]}" for i in trained]

    law()


def test_a_system_message_is_folded_or_the_setting_named() -> None:
    system, asked = {"role": "system", "content": "Which team?"}, [user("lost"), reply("delivery")]
    with pytest.raises(NotTrainable, match='not supported; system_role = "fold" puts'):
        encode(chat(GEMMA, ["<|end|>"]), system, *asked)
    folding = chat(GEMMA, ["<|end|>"], fold_system=True)
    row = encode(folding, system, *asked)
    assert folding.tokenizer.decode(row.ids).startswith("<|user|>Which team?\n\nlost<|end|>")
    assert spans(row, folding) == ["delivery<|end|>"]
    assert folding.tokenizer.decode(row.ids[: row.head]) == "<|user|>Which team?\n\n"


def test_a_prompt_that_opens_thoughts_says_which_setting_closes_them() -> None:
    row = user("lost"), reply("delivery")
    with pytest.raises(
        NotTrainable, match=r"opens <think>.*give the reply its `reasoning_content`"
    ):
        encode(chat(R1, ["<|end|>"]), *row)
    opened = chat(QWEN35, ["<|end|>"])
    with pytest.raises(NotTrainable, match=r"asked '\\n', .* { enable_thinking = false }, give"):
        encode(opened, *row)  # the line ends of prompt and reply are one token
    closed = chat(QWEN35, ["<|end|>"], args={"enable_thinking": False})
    assert spans(encode(closed, *row), closed) == ["delivery<|end|>"]
    with pytest.raises(NotTrainable, match="an earlier reply otherwise than the last one: give"):
        encode(closed, *row, *row)
    with pytest.raises(NotTrainable, match=r"leaves its text out|part at token"):
        encode(chat(R1.replace("m.content", "'x'"), ["<|end|>"]), *row)
    variable = chat(R1 + "{% if enable_thinking is defined %}{% endif %}", ["<|end|>"])
    with pytest.raises(NotTrainable, match=r"set template_args = { enable_thinking = false }"):
        encode(variable, *row)


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([user("a"), reply("\nb")], "The reply begins with white space"),
        ([reply("Hello!"), user("a"), reply("b")], r"messages\[0\]: nothing is asked before"),
        ([user("a"), reply("b", refusal="no")], r"messages\[1\]: `refusal`: .* leaves it out"),
        ([user("a"), reply("b", reasoning_content="hm")], "leaves its reasoning out"),
        ([user("a"), reply("b", audio={"id": "1"})], r"messages\[1\]: `audio`: .* leaves it out"),
        ([user("a"), reply(None, tool_calls=[{"function": {"name": "f"}}])], "`tool_calls`"),
        (
            [user([{"type": "text", "text": "a"}, {"type": "image"}]), reply("b")],
            "a part of its content: the chat template leaves it out",
        ),
    ],
)  # fmt: skip
def test_what_the_rendering_lacks_is_named(messages: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(NotTrainable, match=told):
        encode(chat(CHATML, ["<|end|>"]), *messages)


@pytest.mark.parametrize("field", ["documents", "images", "tools", "functions"])
def test_what_a_row_gives_beside_its_messages_is_rendered_or_refused(field: str) -> None:
    with pytest.raises(NotTrainable, match=f"`{field}`: the chat template leaves it out"):
        encode(chat(CHATML, ["<|end|>"]), user("a"), reply("b"), **{field: [{"name": "f"}]})


TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {}}}]
CALL = {"id": "1", "function": {"name": "find", "arguments": '{"city": "Porto"}'}}
WITH_CALL = [
    *(user("where?"), reply(None, tool_calls=[CALL])),
    *({"role": "tool", "tool_call_id": "1", "content": '21 "C"'}, reply("21.")),
]


def test_tool_calls_are_trained_where_the_template_takes_them() -> None:
    template = chat(HERMES, ["<|end|>"])
    row = encode(template, *WITH_CALL, tools=TOOLS)
    call = '<tool_call>{"name": "find", "arguments": {"city": "Porto"}}</tool_call><|end|>'
    assert spans(row, template) == [call, "21.<|end|>"]
    prompt = template.token_ids(template.render(WITH_CALL[:1], prompt=True, tools=TOOLS))
    assert row.ids[: len(prompt)] == prompt

    texts = HERMES.replace("c.function | tojson", "c.function.name + ' ' + c.function.arguments")
    template = chat(texts, ["<|end|>"])  # as DeepSeek's, which takes arguments as text alone
    assert spans(encode(template, *WITH_CALL, tools=TOOLS), template)[0] == (
        '<tool_call>find {"city": "Porto"}</tool_call><|end|>'
    )
    named = chat(HERMES.replace("c.function | tojson", "c.function.name"), ["<|end|>"])
    with pytest.raises(NotTrainable, match=r"messages\[1\]: the arguments of its calls: "):
        encode(named, *WITH_CALL, tools=TOOLS)
    injected = {**CALL, "function": {"name": "find", "arguments": '{"city": "<|end|>"}'}}
    with pytest.raises(NotTrainable, match=r"control token '<\|end\|>'"):
        encode(template, user("a"), reply("", tool_calls=[injected]), tools=TOOLS)
