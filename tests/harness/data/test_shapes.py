"""Rows of every shape that docs/data-formats.md shows are read as it says, and no row raises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.data.dataset import Dataset
from tunegate.data.formats import ROW_FORMATS
from tunegate.data.formats.chat import is_plain_chat
from tunegate.data.formats.columns import map_columns
from tunegate.data.formats.row_format import openai_messages, openai_tools
from tunegate.data.splitting import split_file
from tunegate.results.labels import label_rule_of_table
from tunegate_checks.data import format as format_check
from tunegate_checks.fix.changes import read_source

DOCS = Path(__file__).parents[3] / "docs"
CALL = {"name": "weather", "arguments": {"city": "Pará"}}
OPENAI_CALL = {
    "id": "call_1",
    "function": {"name": "weather", "arguments": '{"city": "Pará"}'},
    "type": "function",
}
ASKED = {"role": "user", "content": "Rain?"}
CALLED = {"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]}
RESULT = {"role": "tool", "content": "yes", "tool_call_id": "call_1"}
TOLD = {"role": "assistant", "content": "It rains."}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def shown(page: str) -> list[tuple[str, str]]:
    """Return the shapes that a page shows, each with a row."""
    text = (DOCS / page).read_text("utf-8")
    return re.findall(r"^\| ([^|]+) \| [^|]+ \| `(.*)` \|$", text, re.MULTILINE)


@pytest.mark.parametrize("page", ["data-formats.md", "data-formats.pt-BR.md"])
def test_each_row_of_the_page_is_read_as_the_page_says(page: str) -> None:
    rows = shown(page)
    assert {name for name, _ in rows} == {f.name for f in ROW_FORMATS}
    for name, row in rows:
        dataset = Dataset.parse(row.encode())
        assert len(dataset) == 1, (name, dataset.problems)
        assert dataset[0].prompt.strip() == "Hi", name
        assert dataset[0].reply == "Hello" or dataset[0].messages[-1]["tool_calls"], name
        hints = [p.evidence.partition(":")[0] for p in dataset.problems]
        assert hints == ([] if name == "chat" else [f"read as {name}"])
        assert ("rejected" in dataset[0].fields) == name.startswith("preferences"), name


def with_parts(user: str, model: str, key: str, call: Any, result: Any) -> list[dict[str, Any]]:
    """Return the conversation of an API that writes calls and results as parts of the content."""
    turns: list[tuple[str, Any]] = [
        (user, {"text": "Rain?"}), (model, call), (user, result), (model, {"text": "It rains."})
    ]  # fmt: skip
    return [{"role": role, key: [part]} for role, part in turns]


def part(type_: str, value: str) -> dict[str, str]:
    """Return a part of the content as LLaMA-Factory's v1 has it."""
    return {"type": type_, "value": value}


NAMED = {"name": "weather"}
IN_EVERY_FORM: dict[str, dict[str, Any]] = {
    "Hugging Face": {  # arguments as an object, no ids, keys filled with null
        "messages": [
            {**ASKED, "tool_calls": None, "name": None},
            {"role": "assistant", "content": None, "tool_calls": [{"function": CALL}]},
            {"role": "tool", "name": None, "content": "yes", "tool_calls": None},
            {**TOLD, "weight": None},
        ],
        "tools": [TOOL],
    },
    "LLaMA-Factory": {
        "conversations": [
            {"from": "human", "value": "Rain?"},
            {"from": "function_call", "value": json.dumps(CALL)},
            {"from": "observation", "value": "yes"},
            {"from": "gpt", "value": "It rains."},
        ],
        "tools": json.dumps([TOOL["function"]]),
    },
    "Gemini": {
        "contents": with_parts(
            "user",
            "model",
            "parts",
            {"functionCall": {**NAMED, "args": CALL["arguments"]}},
            {"functionResponse": {**NAMED, "response": "yes"}},
        ),
        "tools": [{"functionDeclarations": [TOOL["function"]]}],
    },
    "Bedrock": {
        "messages": with_parts(
            "user",
            "assistant",
            "content",
            {"toolUse": {"toolUseId": "call_1", **NAMED, "input": CALL["arguments"]}},
            {"toolResult": {"toolUseId": "call_1", "content": [{"text": "yes"}]}},
        ),
        "toolConfig": {
            "tools": [{"toolSpec": {**NAMED, "inputSchema": {"json": {"type": "object"}}}}]
        },
    },
    "Anthropic": {
        "messages": with_parts(
            "user",
            "assistant",
            "content",
            {"type": "tool_use", "id": "call_1", **NAMED, "input": CALL["arguments"]},
            {"type": "tool_result", "tool_use_id": "call_1", "content": "yes"},
        ),
        "tools": [{**NAMED, "input_schema": {"type": "object"}}],
    },
    "LLaMA-Factory v1": {
        "messages": [
            {"role": "user", "content": [part("text", "Rain?")], "loss_weight": 0.0},
            {"role": "assistant", "content": [part("tool_call", json.dumps(CALL))]},
            {"role": "tool", "content": [part("text", "yes")], "loss_weight": 0.0},
            {"role": "assistant", "content": [part("text", "It rains.")], "loss_weight": 1.0},
        ],
        "tools": json.dumps([TOOL]),
    },
    "text": {
        "messages": json.dumps([ASKED, CALLED, RESULT, TOLD]),
        "tools": json.dumps([TOOL]),
    },
}


@pytest.mark.parametrize("row", IN_EVERY_FORM.values(), ids=IN_EVERY_FORM)
def test_calls_of_every_api_become_the_same_messages(row: dict[str, Any]) -> None:
    (one,) = Dataset.of([row])
    assert list(one.messages) == [ASKED, CALLED, RESULT, TOLD]
    assert one.fields["tools"] == [TOOL]
    assert one.fields.keys() == {"messages", "tools"}


def test_values_of_parts_become_texts_reasoning_and_pictures() -> None:
    thought = [part("reasoning", "So "), part("reasoning", "it is."), part("text", "It ")]
    messages = [
        {"role": "user", "content": [part("image_url", "a.jpg"), part("text", "Rain?")]},
        {"role": "assistant", "content": [*thought, part("text", "rains.")]},
        {"role": "user", "content": [part("audio_url", "a.mp3"), part("video_url", "a.mp4")]},
    ]
    (one,) = Dataset.of([{"messages": messages, "_dataset_name": "demo", "extra_info": "x"}])
    picture, *sounds = ({"type": t, t: f"a.{e}"} for t, e in zip(MEDIA, ENDINGS, strict=True))
    assert list(one.messages) == [
        {**ASKED, "content": [picture, {"type": "text", "text": "Rain?"}]},
        {**TOLD, "reasoning_content": "So it is."},
        {**ASKED, "content": sounds},
    ]
    assert (one.fields["_dataset_name"], one.fields["extra_info"]) == ("demo", "x")


MEDIA, ENDINGS = ("image", "audio", "video"), ("jpg", "mp3", "mp4")


@pytest.mark.parametrize(
    ("beside", "role", "weight"),
    [
        ({"loss_weight": 0.0}, "assistant", {"weight": 0}),
        ({"loss_weight": 0}, "assistant", {"weight": 0}),
        ({"loss_weight": 1.0}, "assistant", {}),
        ({"loss_weight": 0.5}, "assistant", {"weight": 0.5}),
        ({"loss_weight": 0.0}, "user", {}),
        ({"loss_weight": 1.0}, "user", {"weight": 1}),
        ({"loss_weight": "0"}, "assistant", {"loss_weight": "0"}),
        ({"loss_weight": 0.0, "weight": 1}, "assistant", {"loss_weight": 0.0, "weight": 1}),
        ({"loss": False}, "assistant", {"weight": 0}),
        ({"loss": True}, "assistant", {}),
        ({"loss": 2.31}, "assistant", {"loss": 2.31}),
        ({"train": False}, "assistant", {"weight": 0}),
        ({"train": True}, "user", {"weight": 1}),
        ({"weight": 1.0}, "assistant", {"weight": 1}),
    ],
)
def test_whether_a_turn_is_learnt_is_its_weight(
    beside: dict[str, Any], role: str, weight: dict[str, Any]
) -> None:
    message = {"role": role, "content": "It rains."}
    assert openai_messages([{**message, **beside}]) == [message | weight]
    turn = {"from": {"user": "human"}.get(role, "gpt"), "value": "It rains.", **beside}
    assert list(Dataset.of([{"conversations": [turn]}])[0].messages) == [message | weight]


def test_a_call_that_is_no_json_is_one_finding_with_its_place() -> None:
    for value, shown_value in (("weather(", '"weather("'), ("[]", "an array")):
        called = {"role": "assistant", "content": [part("tool_call", value)]}
        messages = [ASKED, called, {"role": "tool", "content": "yes"}, TOLD]
        (finding,) = format_check.find(Dataset.of([{"messages": messages}]), fewest=1)
        where = "messages[1].tool_calls[0].function"
        assert finding.evidence == f"{where} is {shown_value}; an object is needed"


def test_one_result_that_lists_those_of_all_calls_is_as_many() -> None:
    calls = {"role": "assistant", "tool_calls": [CALL, {**CALL, "name": "time"}]}
    listed = [{"tool_call_id": "7", "name": "weather", "content": "yes"}, {"time": "noon"}]
    result = {"role": "tool", "content": json.dumps(listed)}
    _, _, first, second, _ = openai_messages([ASKED, calls, result, TOLD])
    assert first == {"role": "tool", "content": "yes", "tool_call_id": "call_1"}
    assert second == {"role": "tool", "content": '{"time": "noon"}', "tool_call_id": "call_2"}


@pytest.mark.parametrize(
    "results",
    [
        [[{"a": 1}, {"b": 2}], "noon"],  # that of the first call is a list
        [[{"a": 1}]],
        [[{"a": 1}, {"b": 2}, {"c": 3}]],
        [["yes", "noon"]],
        ["[yes, noon]"],
    ],
)
def test_another_result_than_a_list_of_all_stays_as_it_is(results: list[Any]) -> None:
    calls = {"role": "assistant", "tool_calls": [CALL, {**CALL, "name": "time"}]}
    texts = [r if isinstance(r, str) else json.dumps(r) for r in results]
    turns = [ASKED, calls, *({"role": "tool", "content": text} for text in texts), TOLD]
    assert [m["content"] for m in openai_messages(turns) if m["role"] == "tool"] == texts


def test_every_thought_of_a_message_is_kept() -> None:
    content = [{"type": "thinking", "thinking": t} for t in ("First.", "Then.")]
    (message,) = openai_messages([{"role": "assistant", "content": [*content, {"text": "So."}]}])
    assert message["reasoning_content"] == "First.\n\nThen."


def test_parallel_calls_are_numbered_and_answered_in_order() -> None:
    calls = {"role": "assistant", "tool_calls": [CALL, {**CALL, "name": "time"}]}
    results = [{"role": "tool", "content": text} for text in ("yes", "noon")]
    *_, called, first, second, _, again = openai_messages([ASKED, calls, *results, TOLD, calls])
    assert [call["id"] for call in called["tool_calls"]] == ["call_1", "call_2"]
    assert (first["tool_call_id"], second["tool_call_id"]) == ("call_1", "call_2")
    assert [call["id"] for call in again["tool_calls"]] == ["call_3", "call_4"]


def test_a_number_of_a_class_is_named_by_the_field_beside_it() -> None:
    rows = [{"text": "Hi", "label": 0, "label_text": "cold"}, {"text": "Hi", "label": ["a", "b"]}]
    dataset = Dataset.of([*rows, {"sentence": "Hi", "label": "warm", "label_text": "hot"}])
    assert [e.reply for e in dataset] == ["cold", "a, b", "warm"]


def test_a_number_that_answers_a_question_is_a_reply() -> None:
    rows = [{"question": "2+2?", "answer": 4}, {"question": "1/2?", "answer": 0.5}]
    assert [e.reply for e in Dataset.of(rows)] == ["4", "0.5"]
    assert not len(Dataset.of([{"question": "Is it?", "answer": True}]))


def test_calls_that_are_text_stay_text() -> None:
    turns = [("human", "Rain?"), ("gpt", "<tool_call>{}</tool_call>"), ("tool", "yes")]
    row = {"conversations": [{"from": speaker, "value": text} for speaker, text in turns]}
    (one,) = Dataset.of([row])
    assert [(m["role"], m["content"]) for m in one.messages] == [
        ("user", "Rain?"), ("assistant", turns[1][1]), ("tool", "yes")
    ]  # fmt: skip
    unparsed = {"conversations": [{"from": "function_call", "value": "weather(Pará)"}]}
    assert Dataset.of([unparsed])[0].reply == "weather(Pará)"


@pytest.mark.parametrize(
    ("row", "desirable"),
    [
        ({"prompt": "Hi", "completion": "No", "label": False}, False),
        ({"messages": [ASKED, TOLD], "label": False}, False),
        ({"messages": [ASKED, TOLD], "kto_tag": True}, True),
        ({"instruction": "Hi", "output": "No", "kto_tag": False}, False),
        ({"conversations": [{"from": "gpt", "value": "No"}], "kto_tag": False}, False),
        ({"messages": [ASKED, TOLD], "label": "billing"}, None),
        ({"prompt": "Hi", "completion": "No", "label": " FALSE"}, False),
        ({"prompt": "Hi", "completion": "No", "label": 1}, None),
        ({"prompt": "Hi", "completion": "No", "label": 0, "system": "Be kind."}, None),
        ({"prompt": "Hi", "completion": "No", "label": 2}, None),
        ({"prompt": "Hi", "completion": "No", "label": 0, "topic": "x"}, None),
    ],
)
def test_a_boolean_label_says_whether_the_reply_is_wanted(
    row: dict[str, Any], desirable: bool | None
) -> None:
    (one,) = Dataset.of([row])
    assert one.desirable is desirable
    assert {"label", "kto_tag"} & one.fields.keys()


def test_a_table_of_kto_says_which_replies_are_wanted() -> None:
    table = b"prompt,completion,label\nHi,No,False\nHo,Yes,true\n"
    assert [e.desirable for e in Dataset.parse(table, path="kto.csv")] == [False, True]


def test_a_label_of_numbers_is_a_class_until_somebody_says_more() -> None:
    for classes in (2, 3):
        labels = [n % classes for n in range(classes * 2 + 1)]
        dataset = Dataset.of([{"prompt": "Hi", "completion": "No", "label": n} for n in labels])
        assert [e.fields["label"] for e in dataset] == labels
        assert {e.desirable for e in dataset} == {None}
        (said,) = dataset.problems
        assert said.hint
        is_asked = "does label, 0 or 1, say which replies are wanted?" in said.evidence
        assert is_asked is (classes == 2)


def test_a_system_prompt_beside_messages_is_read_unless_they_have_one() -> None:
    system = {"role": "system", "content": "Be brief."}
    for told in ("Be brief.", [{"text": "Be brief."}]):
        (one,) = Dataset.of([{"system": told, "messages": [ASKED, TOLD]}])
        assert list(one.messages) == [system, ASKED, TOLD]
        assert "system" not in one.fields
    row = {"system": "mine", "messages": [system, ASKED, TOLD]}
    assert Dataset.of([row])[0].fields == row


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "Hi", "label": 1}, 'reply_names = ["name of 0", "name of 1"]'),
        ({"text": "Hi", "label": "1"}, "label is a number in a text, not a name"),
        ({"text": "Hi", "label": True}, "label is a boolean"),
        ({"sentence": "Hi", "label": 1}, 'prompt = "sentence", reply = "label", reply_names'),
        ({"text": "Hi", "labels": [0, 3]}, 'prompt = "text", reply = "labels", reply_names'),
        ({"question": "Which?", "choices": ["a", "b"], "answer": "a"}, "choices belongs to the"),
        ({"question": "Hi", "answers": {"text": []}}, "answers holds no text"),
        ({"translation": {"en": "a", "pt": "b", "fr": "c"}}, "in each of two languages"),
        ({"custom_id": "1", "response": {"body": {}}}, "the nearest known shape is batch request"),
        ({"custom_id": "1", "body": {"messages": [ASKED]}, "response": {}}, "the request failed"),
        ({"data": {"text": "a"}, "annotations": []}, "annotations hold no answer"),
        ({"data": {"a": "1", "b": "2"}, "annotations": []}, "annotations hold no answer"),
        (
            {"fields": {"a": "1", "b": "2"}, "responses": {"q": [{"value": "x"}]}},
            "has a, b; one text",
        ),
        ({"text": "a", "annotation": None, "annotation_agent": "x"}, "annotation is empty"),
        ({"contents": [{"role": "user"}]}, "contents[0] is no object with `role`"),
        ({"chosen": "\n\nHuman: a", "rejected": "\n\nHuman: a\n\nAssistant: b"}, "shape"),
        ({"query": "a", "tools": "[]", "answers": "[]"}, "a list of calls is needed"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(row: dict[str, Any], says: str) -> None:
    dataset = Dataset.of([row])
    if says == "shape":  # a question alone: read, and named by the check of the format
        assert len(dataset) <= 1
        return
    assert len(dataset) == 0
    assert says in dataset.problems[0].evidence


def test_people_who_disagree_are_named_and_ground_truth_settles_it() -> None:
    def annotation(answer: str, **more: bool) -> dict[str, Any]:
        return {"result": [{"type": "choices", "value": {"choices": [answer]}}], **more}

    def read(*annotations: dict[str, Any]) -> Dataset:
        return Dataset.of([{"data": {"text": "Hi"}, "annotations": [*annotations]}])

    assert read(annotation("a"), annotation("a"))[0].reply == "a"
    assert read(annotation("a"), annotation("b", was_cancelled=True))[0].reply == "a"
    assert read(annotation("a"), annotation("b", ground_truth=True))[0].reply == "b"
    assert "annotations disagree" in read(annotation("a"), annotation("b")).problems[0].evidence


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"promt": "a", "completon": "b"}, "the nearest known shape is prompt and completion:"),
        ({"promt": "a", "completon": "b"}, 'columns = { prompt = "promt", reply = "completon" }'),
        (
            {"source_file": "a", "url": "b", "ask": "c", "sql": "d"},
            'columns = { prompt = "ask", reply = "sql" }',
        ),
        ({"dialogue": [ASKED, TOLD]}, 'columns = { messages = "dialogue" }'),
        ({"tokens": ["a"], "ner_tags": [0]}, "what the model is given and what it must answer"),
        ({"a\n\x1b": "b", "c": "d"}, r'prompt = "a\n\x1b"'),
    ],
)
def test_an_unknown_shape_names_the_nearest_and_the_line_to_write(
    row: dict[str, Any], says: str
) -> None:
    (problem,) = Dataset.of([row]).problems
    assert says in problem.evidence
    assert problem.evidence.isprintable()


NAMES = sorted({n for f in ROW_FORMATS for n in f.required | f.optional} | {"tools", "a.responses"})
TURN_KEYS = ["role", "content", "from", "value", "parts", "text", "type", "tool_calls", "toolUse"]
TURN_KEYS += [
    "functionCall",
    "name",
    "arguments",
    "tool_use_id",
    "id",
    "weight",
    "loss_weight",
    "value",
    "function",
    "body",
]
WORDS = ["Hi", "", "user", "assistant", "model", "tool", "gpt", "function_call", "tool_use", "[{}]"]
LEAVES = st.sampled_from([*WORDS, None, True, 1, 1.0]) | st.sampled_from(
    ["tool_result", "thinking", "reasoning", "tool_call", "image_url"]
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*TURN_KEYS, *NAMES]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(NAMES), TREES, max_size=5))
@settings(deadline=None, max_examples=60)
def test_any_row_is_read_or_told_of_and_none_raises(row: dict[str, Any]) -> None:
    dataset = Dataset.of([row, row])  # twice: one object of arrays is a file of splits
    assert len(dataset) + sum(not problem.hint for problem in dataset.problems) == 2
    for problem in dataset.problems:
        assert problem.evidence.isprintable()
    for one in dataset:
        assert all(isinstance(message["role"], str) for message in one.messages)


@given(st.lists(TREES, max_size=4))
@settings(deadline=None, max_examples=60)
def test_messages_in_openais_form_stay_as_they_are(turns: list[Any]) -> None:
    once = openai_messages(turns)
    assert openai_messages(once) == once
    if is_plain_chat({"messages": turns}):
        assert once == turns
    assert openai_tools(openai_tools(turns)) == openai_tools(turns)


@pytest.mark.parametrize(
    ("label", "reply"),
    [
        (["joy", "fear"], "joy, fear"),
        ([], "[]"),  # none of the classes is an answer too
        (["Trade, Commerce", "Health"], '["Trade, Commerce", "Health"]'),
    ],
)
def test_several_labels_are_one_reply(label: list[str], reply: str) -> None:
    dataset = Dataset.of([{"text": "Hi", "label": label}])
    assert not [p for p in dataset.problems if not p.hint]
    assert dataset[0].reply == reply
    rule = label_rule_of_table("set")
    assert rule.read(reply) == (" | ".join(sorted(label)) or "(none)")


@pytest.mark.parametrize(
    ("value", "reply"), [("1", "fear"), (0, "joy"), ("0,1", "joy, fear"), ("1, 0", "fear, joy")]
)
def test_numbers_of_several_classes_become_names(value: object, reply: str) -> None:
    columns = {"prompt": "text", "reply": "label", "reply_names": '["joy", "fear"]'}
    fields = map_columns({"text": "Hi", "label": value}, columns)
    assert fields["messages"][-1]["content"] == reply


ARTICLE = {
    "title": "Rain",
    "paragraphs": [
        {
            "context": "It rains in Belém.",
            "qas": [
                {
                    "id": "1",
                    "question": "Where?",
                    "answers": [{"text": "Belém", "answer_start": 12}],
                },
                {
                    "id": "2",
                    "question": "What?",
                    "answers": [{"text": t, "answer_start": 3} for t in ("rains", "rains", "rain")],
                },
                {"id": "3", "question": "When?", "answers": [], "is_impossible": True},
            ],
        }
    ],
}


@pytest.mark.parametrize("form", ["object", "lines", "array"])
def test_the_questions_of_an_article_are_rows(form: str) -> None:
    text = json.dumps(ARTICLE)
    texts = {"object": json.dumps({"version": "1.1", "data": [ARTICLE]}, indent=2)}
    texts |= {"lines": f"{text}\n{text}\n", "array": f"[{text},\n{text}]"}
    dataset, times = Dataset.parse(texts[form].encode(), "train"), 1 if form == "object" else 2
    first, second = dataset[:2]
    assert len(dataset) == 2 * times
    assert (first.prompt, first.reply) == ("It rains in Belém.\n\nWhere?", "Belém")
    assert (second.reply, second.references, second.fields["title"]) == ("rains", ("rain",), "Rain")
    evidence = [p.evidence for p in dataset.problems if not p.hint]
    assert [e.partition(":")[0] for e in evidence] == ["answers holds no text"] * times


def test_fix_and_split_take_each_question_of_an_article(tmp_path: Path) -> None:
    articles = [
        {
            "paragraphs": [
                {"context": f"Text {n}.", "qas": [{"question": f"Q{n}?", "answers": [f"A{n}"]}]}
            ]
        }
        for n in range(30)
    ]
    file = tmp_path / "squad.json"
    file.write_text(json.dumps({"data": articles}), "utf-8")
    source = read_source(file)
    assert [row.fields["messages"][-1]["content"] for row in source.rows][:2] == ["A0", "A1"]
    report = split_file(file, tmp_path / "out", by=None)
    assert sum(report.rows.values()) == 30
    assert Dataset.read(tmp_path / "out/train.jsonl")[0].reply.startswith("A")


@pytest.mark.parametrize(
    ("row", "reply", "references"),
    [
        ({"question": "When?", "answer": ["14 May", "May"]}, "14 May", ["May"]),
        ({"question": "When?", "answer": ["May"]}, "May", None),
        ({"query": "When?", "answer": ["May", "May"], "references": ["5"]}, "May", ["5"]),
        ({"document": "Long", "summary": ["a", "b"]}, "a", ["b"]),
        ({"dialogue": "A: Hi", "summary1": "a", "summary2": "b", "topic1": "x"}, "a", ["b"]),
        ({"source": "Oi", "target": ["Hi", "Hello"]}, "Hi", ["Hello"]),
        ({"inputs": "Oi", "targets": ["Hi"]}, "Hi", None),
        ({"prompt": [ASKED], "completion": "Yes"}, "Yes", None),
    ],
)
def test_other_right_answers_become_references(
    row: dict[str, Any], reply: str, references: list[str] | None
) -> None:
    (one,) = Dataset.of([row])
    assert (one.reply, one.fields.get("references")) == (reply, references)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"input": "Hi", "output": ["a", "b"]}, "output is an array"),  # parts, or alternatives?
        ({"question": "Which?", "answer1": "a", "answer2": "b", "right": 1}, "shape"),
        ({"question": "Which?", "answer": []}, "answer holds no text"),
        ({"question": "Which?", "answer": [1]}, "answer holds no text"),
        ({"text": "a", "document": "b", "summary1": "c"}, "no `messages`"),
        ({"paragraphs": [{"qas": 1}]}, "no `messages`"),
    ],
)
def test_what_could_be_meant_otherwise_is_not_read(row: dict[str, Any], says: str) -> None:
    (problem,) = Dataset.of([row]).problems
    assert says in f"{problem.kind} {problem.evidence}"


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"id": "7", "review": "Bad", "rating": 1}, 'prompt = "review", reply = "rating", reply_n'),
        (
            {"": "0", "texto": "Oi", "insulto": "1.0", "racismo": "0.0", "votos": "3"},
            'prompt = "texto", reply = ["insulto", "racismo"] }',
        ),
        (
            {"comment_id": 5, "comment": "Hi", "toxic": True, "rude": False},
            'prompt = "comment", reply = ["toxic", "rude"] }',
        ),
        ({"I like it.": "No.", "3": "1"}, "number the columns from 1, and write under [data]: col"),
    ],
)
def test_the_line_to_write_goes_by_the_values(row: dict[str, Any], columns: str) -> None:
    (problem,) = Dataset.of([row]).problems
    assert columns in problem.evidence


CLASSES = {"prompt": "text", "reply": '["joy", "fear, dread"]'}


@pytest.mark.parametrize(
    ("marks", "reply"),
    [
        ((1, 0), "joy"),
        (("0", "1.0"), '["fear, dread"]'),
        ((True, "TRUE"), '["joy", "fear, dread"]'),
        ((False, "0.0"), "[]"),
    ],
)
def test_columns_of_classes_are_one_reply(marks: tuple[object, object], reply: str) -> None:
    row = {"text": "Hi", "joy": marks[0], "fear, dread": marks[1], "id": 1}
    dataset = Dataset.parse(json.dumps(row).encode(), columns=CLASSES)
    assert dataset[0].reply == reply
    assert dataset[0].fields.keys() == {"messages", "id"}


@pytest.mark.parametrize("mark", [2, "yes", None, 0.5])
def test_a_class_that_is_neither_there_nor_not_is_told(mark: object) -> None:
    row = {"text": "Hi", "joy": 1, "fear, dread": mark}
    (problem,) = Dataset.parse(json.dumps(row).encode(), columns=CLASSES).problems
    assert "0 or 1 is needed" in problem.evidence
