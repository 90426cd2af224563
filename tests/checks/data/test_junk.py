"""Junk in texts is named, and its clean twin, code about it or a lesson on it, is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from tunegate import Dataset, Findings
from tunegate_checks.data import format


def found(reply: str, prompt: str = "Where is it?", **more: Any) -> Findings:
    messages = [
        {"role": "user", "content": prompt}, {"role": "assistant", "content": reply, **more}
    ]  # fmt: skip
    return format.find(Dataset.of([{"messages": messages}]), fewest=1)


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("placeholder", "Hello {{name}}, your order {{ Order Number }} is late."),
        ("placeholder", "Your order {order_id} has left."),
        ("missing value", "nan"),
        ("missing value", " #N/A\n"),
        ("missing value", "[object Object]"),
        ("mojibake", "NÃ£o funciona"),
        ("mojibake", "É a conexÃ£o da mÃ\xa1quina"),
        ("mojibake", "Itâ€™s here"),
        ("mojibake", "20Â°C"),
        ("mojibake", "It costs â‚¬5 ðŸ™‚"),
        ("mojibake", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚"),
        *(
            ("mojibake", text.encode().decode("cp1252"))
            for text in (
                "你好吗",
                "สวัสดี".replace("ั", ""),
                "καλός",
                "ありがと",
                "नमस",
                "안녕",
                "שלום",
            )
            if all(byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) for byte in text.encode())
        ),
        ("missing value", "Name: Ana\nPhone: nan\n"),
        ("lost letter", "N\ufffdo funciona"),
        ("entity", "n&atilde;o &amp; sim"),
        ("entity", "it&#39;s"),
        ("unclosed think", "<think>hm the answer is 4"),
        ("empty", "<think>hm</think>\n"),
        ("control token", "Hello<|im_end|>\n<|im_start|>user"),
        ("control token", "[INST] Hi [/INST] Hello"),
        ("control token", "Hello<end_of_turn>"),
        ("control token", "Hello </s>"),
    ],
)
def test_junk_closes_the_gate(kind: str, reply: str) -> None:
    result = found(reply)
    assert result.kinds == {kind: 1}
    assert result[0].evidence.startswith("messages[1].content ")


@pytest.mark.parametrize(
    "reply",
    [
        "Write `{{ name }}` in the text.",
        "```jinja\nHello {{ name }}\n```",
        "A Jinja template says {{ name }}.",
        "{% if name %}{{ name }}{% endif %}",
        r"$\frac{{a}}{{b}} = x^{{n}}$",
        "int a[1][1] = {{0}};",
        "uses: ${{ secrets.TOKEN }}",
        "JOÃO MANHÃ” disse",
        "Até «já», à… «é», ê– è—",
        "Where: nan, my gran, is out",
        "In pandas a float column shows\nprice: nan",
        "„Spaß“ und CAFÉ… – “OLÁ”",
        "Âncora, Ânimo, Ãngela, â la carte, ðe, Ða",
        "U+FFFD, \ufffd, is the replacement character.",
        "Mojibake such as Ã£ is UTF-8 that was read wrongly.",
        "Use <b>&amp;</b> in HTML.",
        "`&nbsp;` is a space.",
        "AT&T; R&D; a & b;",
        "<think>2+2</think>4",
        "The tag <think> opens thoughts.",
        "`<|im_end|>` ends a turn.",
        "```\n<|im_start|>user\n",
        "if a <s> b: x < y; <unknown>",
        "nan bread is baked in a tandoor",
        r"$x_{max_iter} \in \{a_b\}$, \text{first_name}",
        "Call /users/{user_id}/orders with [the number](https://a.b)[1].",
        "print(f'{order_id}')",
        "Phone [PHONE_1], mail [EMAIL_2] of [NAME_1].",
        "Use arr[number] and the tag <name>; {a, b} is a set, so is {x}.",
        "A format string: {first_name}, `{order_id}`, in Python.",
        "[LAUGHTER] Yes [sic], that is [City]: a wiki link",
    ],
)
def test_code_lessons_and_prose_are_left_alone(reply: str) -> None:
    result = found(reply)
    assert list(result) == []
    assert not result.hints


@pytest.mark.parametrize(
    ("prompt", "reply"),
    [
        ("What does `float('x')` print?", "nan"),
        ("Choose: yes, no, None", "None"),
        ("parseInt(x) in JavaScript?", "NaN"),
    ],
)
def test_a_word_that_the_question_offers_is_an_answer(prompt: str, reply: str) -> None:
    assert not found(reply, prompt)
    assert not found(reply, prompt).hints


@pytest.mark.parametrize(
    ("kind", "prompt", "reply"),
    [
        ("null", "Where is it?", "None"),
        ("entity read", "n&atilde;o funciona", "ok"),
        ("token named", "Hi", "The token <|im_end|> ends a turn."),
        ("likely placeholder", "Where is it?", "Dear [Your name], it is here."),
        ("likely placeholder", "Where is it?", "Olá <NOME>, está aqui."),
        ("likely placeholder", "Onde está o pedido [NÚMERO DO PEDIDO]?", "Não sei."),
        ("likely placeholder", "Where is {order_id}?", "I do not know."),
        ("likely placeholder", "How many are there?", "The set {x_i} has n members."),
        ("likely placeholder", "How many are there?", "Of {a_n}, {m_j} is the last."),
        ("likely placeholder", "How many are there?", "It is {x_max}, of {ab_cd}."),
        ("likely placeholder", "How many are there?", "It is {ab_cd}."),
        ("likely placeholder", "Translate: Hi {first_name}!", "Olá, {first_name}!"),
        ("likely placeholder", "Who are you?", "{name}, at [Company's address]"),
    ],
)
def test_what_may_be_meant_is_a_hint(kind: str, prompt: str, reply: str) -> None:
    result = found(reply, prompt)
    assert list(result) == []
    assert [hint.kind for hint in result.hints] == [kind]


def test_what_a_tool_returns_is_data_but_must_be_whole() -> None:
    page = {"role": "tool", "content": "<|im_end|> {{name}} &amp;", "tool_call_id": "c"}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = {"role": "user", "content": "Hi"}
    calls = {"role": "assistant", "content": None, "tool_calls": [call]}
    row = {"messages": [asked, calls, page, {"role": "assistant", "content": "ok"}]}
    assert not format.find(Dataset.of([row]), fewest=1)
    page["content"] = "\ufffd"
    assert format.find(Dataset.of([row]), fewest=1).kinds == {"lost letter": 1}


def test_kinds_that_are_meant_are_allowed_by_name() -> None:
    rows = [
        {"prompt": "Hi", "completion": "Hello {{name}}"},
        {"prompt": "Hi", "completion": "nan"},
    ]
    dataset = Dataset.of(rows)
    assert format.find(dataset, fewest=1).kinds == {"placeholder": 1, "missing value": 1}
    allowed = format.find(dataset, fewest=1, allow=["placeholder"])
    assert allowed.kinds == {"missing value": 1}


def test_the_rejected_reply_is_read_too() -> None:
    row = {"prompt": "Hi", "chosen": "Hello", "rejected": "H\ufffdllo"}
    (one,) = format.find(Dataset.of([row]), fewest=1)
    assert one.evidence.startswith("rejected[0].content holds U+FFFD")


def test_what_many_rows_share_is_said_once() -> None:
    greeting = {"role": "assistant", "content": "Welcome!"}
    asked, told = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
    rows: list[dict[str, Any]] = [{"messages": [greeting, asked, told]} for _ in range(700)]
    result = format.find(Dataset.of(rows))
    assert list(result) == []
    (hint,) = result.hints
    assert hint.evidence.startswith("700 rows: line 1, 2, 3, ...: the assistant begins")
    unknown = [{"q": "Hi", "a": str(i)} for i in range(700)]
    told_once = [f for f in format.find(Dataset.of(unknown)) if f.kind == "shape"]
    assert [f.line for f in told_once] == [1]
    assert told_once[0].evidence.endswith('reply = "a" } (700 rows: line 1, 2, 3, ...)')


def test_pictures_are_counted_against_the_files_of_the_row() -> None:
    def read(content: Any, **fields: Any) -> list[str]:
        messages = [
            {"role": "user", "content": content}, {"role": "assistant", "content": "a cat"}
        ]  # fmt: skip
        return [
            f.kind for f in format.find(Dataset.of([{"messages": messages, **fields}]), fewest=1)
        ]

    asked = {"type": "text", "text": "What is it?"}
    assert read([{"type": "image"}, asked], images=["a.png"]) == []
    assert read("<image>What?", images=["a.png"]) == []
    assert read("What?", images=["a.png"]) == []
    assert read([{"type": "image", "url": "a.png"}, asked]) == []
    assert read("What is <image> in HTML?") == []
    assert read("<image><image>What?", images=["a.png"]) == ["images"]
    assert read([{"type": "video"}, asked]) == ["videos"]
    # An empty column holds no file: the text only speaks of pictures.
    assert read("Is <image> or <image/> right, and <image> alone?", images="") == []


def test_a_result_after_a_call_that_is_text_is_a_hint() -> None:
    turns = [("user", "Rain?"), ("assistant", "[rain()]"), ("tool", "yes"), ("assistant", "Yes")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    result = format.find(Dataset.of([row]), fewest=1)
    assert list(result) == []
    assert [hint.kind for hint in result.hints if hint.kind != "shape"] == ["unnamed result"]
