"""Exports of annotation tools, and the files of OpenAI's batch API.

Sources: https://labelstud.io/guide/task_format, the records of Argilla 1 and 2
(https://docs.argilla.io), https://platform.openai.com/docs/guides/batch.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...utils.strict_json import Unreadable, parse_json_text
from .chat import from_chat
from .row_format import Fields, Message, RowFormat, assistant_message, user_message

# Of a Label Studio result's `value`: what the annotator chose or wrote.
_ANSWER_KEYS = ("choices", "text", "taxonomy", "rating", "number")
# The fields of an Argilla record that are not its own, flattened or not.
_ARGILLA_OWN = frozenset({"id", "_server_id", "status", "inserted_at", "updated_at", "score"})
_RESPONSES = re.compile(r"(.+)\.responses")


def from_label_studio(fields: Mapping[str, Any]) -> Fields:
    """Convert `data` and the answer of `annotations` to messages (Label Studio)."""
    data, annotations = fields["data"], fields["annotations"]
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise Unreadable("shape", "data is no object, or annotations is no list")
    done = [a for a in annotations if isinstance(a, dict) and not a.get("was_cancelled")]
    done = [a for a in done if a.get("ground_truth")] or done
    answers = [_label_studio_answer(annotation.get("result")) for annotation in done]
    reply = _agreed((answer for answer in answers if answer), "annotations")
    return {"messages": [_asked_text(data, "data"), assistant_message(reply)]}


def _label_studio_answer(result: Any) -> str:
    """Return what was chosen or written in one annotation, "" if nothing was."""
    found: list[str] = []
    for item in result if isinstance(result, list) else []:
        value = item.get("value") if isinstance(item, dict) else None
        fields = value if isinstance(value, dict) else {}
        answer = next((fields[key] for key in _ANSWER_KEYS if key in fields), None)
        if answer is not None:
            several = answer if isinstance(answer, list) else [answer]
            # A path of a taxonomy counts by its last step.
            found += (str(one[-1] if isinstance(one, list) and one else one) for one in several)
    return ", ".join(found)


def _agreed(answers: Iterable[str], name: str) -> str:
    """Return the answer that all gave; raise Unreadable if there is none, or several."""
    different = list(dict.fromkeys(answers))
    if len(different) > 1:
        advice = "settle it, or leave the row out"
        raise Unreadable("shape", f"{name} disagree: {len(different)} different answers; {advice}")
    if not different:
        raise Unreadable("shape", f"{name} hold no answer; annotate the row, or leave it out")
    return different[0]


def _asked_text(data: Mapping[str, Any], name: str) -> Message:
    """Return the message of the only text of an object, or of the one called `text`."""
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value}
    text = texts.get("text", next(iter(texts.values())) if len(texts) == 1 else None)
    if text is None:
        found = ", ".join(ascii(key)[1:-1][:30] for key in texts) or "no text"
        raise Unreadable("shape", f"{name} has {found}; one text, or one called text, is needed")
    return user_message(text)


def from_argilla_1(fields: Mapping[str, Any]) -> Fields:
    """Convert `text` and `annotation` of a record of Argilla 1 to messages."""
    answer = fields["annotation"]
    if not answer:
        raise Unreadable("shape", "annotation is empty; annotate the row, or leave it out")
    reply = ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer)
    inputs = parse_json_text(fields.get("inputs"))
    data = inputs if isinstance(inputs, dict) and not fields.get("text") else fields
    texts = {"text": data["text"]} if isinstance(data.get("text"), str) else data
    return {"messages": [_asked_text(texts, "the record"), assistant_message(reply)]}


def from_argilla_2(fields: Mapping[str, Any]) -> Fields:
    """Convert `fields` and `responses` of a record of Argilla 2 to messages."""
    texts, responses = fields["fields"], fields["responses"]
    if not isinstance(texts, dict) or not isinstance(responses, dict):
        raise Unreadable("shape", "fields or responses is no object")
    lists = {question: v for question, v in responses.items() if isinstance(v, list)}
    given = {k: [r.get("value") for r in v if isinstance(r, dict)] for k, v in lists.items()}
    return _argilla_messages(texts, given)


def from_flat_argilla(fields: Mapping[str, Any]) -> Fields:
    """Convert a flattened record of Argilla 2, with `QUESTION.responses`, to messages."""
    matches = ((_RESPONSES.fullmatch(key), answers) for key, answers in fields.items())
    given = {m[1]: answers if isinstance(answers, list) else [] for m, answers in matches if m}
    texts = {k: v for k, v in fields.items() if "." not in k and k not in _ARGILLA_OWN}
    return _argilla_messages(texts, given)


def _argilla_messages(texts: Mapping[str, Any], given: Mapping[str, list[Any]]) -> Fields:
    answered = {question: answers for question, answers in given.items() if answers}
    if (count := len(answered)) > 1:
        names = ", ".join(ascii(question)[1:-1][:30] for question in answered)
        raise Unreadable("shape", f"{count} questions are answered ({names}); one is needed")
    values = (answer for answers in answered.values() for answer in answers if answer is not None)
    answers = (", ".join(map(str, v)) if isinstance(v, list) else str(v) for v in values)
    reply = assistant_message(_agreed(answers, "responses"))
    return {"messages": [_asked_text(texts, "fields"), reply]}


def from_batch_request(fields: Mapping[str, Any]) -> Fields:
    """Convert the `body` of a request of OpenAI's batch API, with its `response` if it is there."""
    body = fields["body"]
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        raise Unreadable("shape", "body is no request with `messages`")
    tools = {"tools": body["tools"]} if "tools" in body else {}
    if fields.get("response") is None:
        return from_chat({"messages": body["messages"], **tools})
    try:
        reply = dict(fields["response"]["body"]["choices"][0]["message"])
    except (TypeError, LookupError, ValueError):
        raise Unreadable("shape", "response holds no message: the request failed") from None
    return from_chat({"messages": [*body["messages"], reply], **tools})


EXPORT_FORMATS = (
    RowFormat("Label Studio", "data annotations", "", from_label_studio,
              "the text of data became the prompt, the annotation the reply"),
    RowFormat("Argilla 1", "annotation annotation_agent", "text inputs", from_argilla_1,
              "text became the prompt, annotation the reply"),
    RowFormat("Argilla 2", "fields responses", "", from_argilla_2,
              "fields became the prompt, responses the reply"),
    RowFormat("batch request", "custom_id body", "response method url", from_batch_request,
              "the messages of body became messages"),
    RowFormat("Argilla 2 (flat)", "status _server_id", "", from_flat_argilla,
              "the text field became the prompt, the responses the reply",
              lambda row: any(map(_RESPONSES.fullmatch, row))),
)  # fmt: skip
