"""Rows with one question and one reply, or two of which one is preferred, under any names.

The names are those of public data sets: Dolly, SQuAD, OpenOrca, GSM8K, XSum, SAMSum, CNN/DailyMail,
FLAN, WMT and the text classification sets of Hugging Face; of preferences, those of the sets
Anthropic/hh-rlhf, Intel/orca_dpo_pairs, argilla/ultrafeedback-binarized-preferences and
LLaMA-Factory's dpo_en_demo, of https://huggingface.co/docs/trl/dataset_formats and
https://platform.openai.com/docs/api-reference/fine-tuning/preference-input.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ...utils.strict_json import Unreadable, parse_json_text, parse_strict
from . import row_format
from .chat import sharegpt_messages
from .row_format import Fields, Message, RowFormat, assistant_message, text_field, user_message

# A row with one of these asks for a choice, and its question alone is not what the model is given.
_CHOICES = ("choices", "options")
# Names of the classes beside their numbers (SetFit).
_LABEL_TEXTS = ("label_text", "label_name")
# Replies of which a row can have several, each as right as the first; elsewhere a list is no reply.
_SEVERAL = ("answer", "summary", "target", "targets")
_SUMMARISED = ("dialogue", "document", "article", "text")
_SUMMARIES = tuple(f"summary{n}" for n in range(1, 10))
_FLAGS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
_NUMBERS = re.compile(r"\s*\d+(?:\s*,\s*\d+)+\s*")
OPENAI_TOOL_KEYS = ("tools", "parallel_tool_calls")  # stand in OpenAI's `input`, with `messages`
# The fields that hold the question, the first first: Argilla's, Intel's and distilabel's.
_QUESTIONS = ("instruction", "question", "query", "input")
_CHOSEN = ("chosen", row_format.REJECTED)
_CHOSEN_MESSAGES = ("chosen_messages", "rejected_messages")
_HH_TURN = re.compile(r"\n\n(Human|Assistant): ?")


def from_alpaca(fields: Mapping[str, Any]) -> Fields:
    """Convert `instruction`, `input`, `output` and `history` (pairs of texts) to messages."""
    earlier: list[Message] = []
    history = fields.get("history") or []
    for i, pair in enumerate(history if isinstance(history, list) else [history]):
        if not isinstance(pair, list) or [type(text) for text in pair] != [str, str]:
            raise Unreadable("shape", f"history[{i}] is not a pair of texts: question and answer")
        earlier += [user_message(pair[0]), assistant_message(pair[1])]
    prompt = joined_text(fields, "instruction", "input")
    messages = [*row_format.system_message(fields), *earlier, user_message(prompt)]
    return {"messages": [*messages, assistant_message(text_field(fields, "output"))]}


def joined_text(fields: Mapping[str, Any], first: str, *others: str) -> str:
    """Return the texts of fields, an empty line between them; only the first must be there."""
    texts = [text_field(fields, first), *(text_field(fields, name, "") for name in others)]
    return "\n\n".join(text for text in texts if text)


def from_prompt_completion(fields: Mapping[str, Any]) -> Fields:
    """Convert `prompt` and `completion`, texts or lists of messages, to messages."""
    completion = fields["completion"]
    if not isinstance(completion, list):
        completion = [assistant_message(text_field(fields, "completion"))]
    asked = [*row_format.system_message(fields), *row_format.prompt_messages(fields, "prompt")]
    return {"messages": row_format.openai_messages([*asked, *completion])}


def flag_of(value: Any) -> bool | None:
    """Return true or false for what files write for it; None for another value."""
    return _FLAGS.get(str(value).strip().lower())


def from_pair(
    prompt: str, reply: str, context: tuple[str, ...], fields: Mapping[str, Any]
) -> Fields:
    """Convert two fields to messages; the texts of `context` stand before the question."""
    for name in _CHOICES:
        if fields.get(name):
            advice = "it would be left out; write it into the text of the prompt"
            raise Unreadable("shape", f"{name} belongs to the question: {advice}")
    system = row_format.system_message(fields) or row_format.system_message(fields, "system_prompt")
    if isinstance(fields[prompt], list):
        asked = row_format.openai_messages(fields[prompt])
    else:
        texts = [*(text_field(fields, name, "") for name in context), text_field(fields, prompt)]
        asked = [user_message("\n\n".join(text for text in texts if text))]
    value = fields[reply]
    if reply in _SEVERAL and isinstance(value, list):
        return _answered([*system, *asked], value, reply, fields)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    answer = str(value) if is_number else text_field(fields, reply)
    return {"messages": [*system, *asked, assistant_message(answer)]}


def _answered(
    asked: list[Message], answers: list[Any], name: str, fields: Mapping[str, Any]
) -> Fields:
    """Return messages with the first answer as the reply, and the others as `references`."""
    if not answers or not isinstance(answers[0], str):
        advice = "write one, such as 'unanswerable', or leave the row out"
        raise Unreadable("shape", f"{name} holds no text: {advice}")
    first, *others = dict.fromkeys(text for text in answers if isinstance(text, str))
    references = {"references": others} if others and "references" not in fields else {}
    return {"messages": [*asked, assistant_message(first)], **references}


def from_summaries(fields: Mapping[str, Any]) -> Fields:
    """Convert a text and `summary1`, `summary2`, ... to messages (DialogSum's test set)."""
    prompt = next(name for name in _SUMMARISED if name in fields)
    summaries = [fields[name] for name in _SUMMARIES if name in fields]
    return from_pair(prompt, "summary", (), {**fields, "summary": summaries})


def from_dolly(fields: Mapping[str, Any]) -> Fields:
    """Convert `instruction`, `context` and `response` to messages (Dolly)."""
    question = joined_text(fields, "instruction", "context", "input")
    reply = assistant_message(text_field(fields, "response"))
    return {"messages": [*row_format.system_message(fields), user_message(question), reply]}


def from_squad(fields: Mapping[str, Any]) -> Fields:
    """Convert `context`, `question` and `answers` to messages (SQuAD)."""
    answers = fields["answers"]
    answers = answers.get("text") if isinstance(answers, dict) else answers
    found = answers if isinstance(answers, list) else []
    texts = [answer.get("text") if isinstance(answer, dict) else answer for answer in found]
    question = joined_text(fields, "context", "question") if fields.get("context") else ""
    asked = user_message(question or text_field(fields, "question"))
    return _answered([asked], texts, "answers", fields)


def squad_questions(row: bytes) -> list[bytes]:
    """Return a row for each question of an article of SQuAD's files; [] for another row."""
    try:
        article = parse_strict(row.decode())
        given = [({"title": article.get("title"), "context": p["context"]}, p["qas"])
                 for p in article["paragraphs"]]  # fmt: skip
        return [json.dumps({**text, **asked}).encode() for text, qas in given for asked in qas]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def from_translation(fields: Mapping[str, Any]) -> Fields:
    """Convert `translation`, two texts by language, to messages: the first becomes the prompt."""
    texts = fields["translation"]
    if not isinstance(texts, dict) or [type(text) for text in texts.values()] != [str, str]:
        raise Unreadable("shape", "translation is no object with a text in each of two languages")
    source, target = texts.values()
    return {"messages": [user_message(source), assistant_message(target)]}


def from_label(prompt: str, name: str, fields: Mapping[str, Any]) -> Fields:
    """Convert a text and its `label` or `labels` to messages; a number needs a name."""
    label = fields[name]
    candidates = (label, *(fields.get(beside) for beside in _LABEL_TEXTS))
    reply = next((text for c in candidates if (text := label_name(c, ())) is not None), None)
    if reply is None:
        columns = f'prompt = "{prompt}", reply = "{name}", reply_names = ["name of 0", "name of 1"]'
        advice = f"not a name; write under [data]: columns = {{ {columns} }}"
        found = "a number in a text" if isinstance(label, str) else row_format.json_type(label)
        raise Unreadable("shape", f"{name} is {found}, {advice}")
    asked = user_message(text_field(fields, prompt))
    return {"messages": [*row_format.system_message(fields), asked, assistant_message(reply)]}


def label_name(value: Any, names: tuple[str, ...]) -> str | None:
    """Return the name of a class as the reply has it; None for a number without one.

    Several are joined by a comma. `names` are indexed by a number, or by each of a text `4,27`.
    """
    if names and isinstance(value, str) and _NUMBERS.fullmatch(value):
        value = value.split(",")
    if isinstance(value, list):
        found = [name for item in value if (name := label_name(item, names)) is not None]
        return joined_names(found) if len(found) == len(value) else None
    is_number = isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal())
    if not is_number:
        return value if isinstance(value, str) else None
    return names[int(value)] if 0 <= int(value) < len(names) else None


def joined_names(names: Sequence[str]) -> str:
    """Return class names as one reply: JSON where there are none, or a comma is part of a name."""
    is_plain = names and not any("," in name for name in names)
    return ", ".join(names) if is_plain else json.dumps(names, ensure_ascii=False)


def _pair(prompt: str, reply: str, context: tuple[str, ...] = ()) -> RowFormat:
    hint, more = f"{prompt} became the prompt, {reply} the reply", ("system_prompt", *context)
    to_fields: Callable[[Mapping[str, Any]], Fields] = partial(from_pair, prompt, reply, context)
    if reply in ("label", "labels"):
        to_fields, more = partial(from_label, prompt, reply), _LABEL_TEXTS
    optional = " ".join(("system", *more))
    return RowFormat(f"{prompt} and {reply}", f"{prompt} {reply}", optional, to_fields, hint)


_PASSAGES = ("context", "passage")
ASKED_FORMATS = (
    RowFormat("Alpaca", "instruction output", "input system history", from_alpaca,
              "instruction, input and output became messages"),
    RowFormat("KTO", "prompt completion label", "system",
              lambda row: {**from_prompt_completion(row), "label": flag_of(row["label"])},
              "prompt and completion became messages, label says which replies are wanted",
              lambda row: str(row["label"]).strip().lower() in ("true", "false")),
    RowFormat("prompt and completion", "prompt completion label", "system",  # a class, or of KTO
              lambda row: {**from_prompt_completion(row), "label": row["label"]},
              "prompt and completion became messages; does label, 0 or 1, say which replies are "
              "wanted? It is read so where it is true or false",
              lambda row: flag_of(row["label"]) is not None),
    RowFormat("prompt and completion", "prompt completion", "system", from_prompt_completion,
              "prompt and completion became messages"),
)  # fmt: skip
PAIR_FORMATS = (
    RowFormat("Dolly", "instruction response", "context input system", from_dolly,
              "instruction and context became the prompt, response the reply"),
    RowFormat("SQuAD", "question answers", "context", from_squad,
              "context and question became the prompt, the first of answers the reply"),
    RowFormat("translation", "translation", "", from_translation,
              "the first language became the prompt, the second the reply"),
    *(_pair("question", reply, _PASSAGES) for reply in ("answer", "response")),
    _pair("problem", "solution"),
    *(_pair(prompt, reply, _PASSAGES)
      for prompt in ("query", "prompt") for reply in ("response", "answer")),
    *(_pair(prompt, "output") for prompt in ("input", "text_input")),
    _pair("inputs", "targets"), _pair("source", "target"),
    _pair("text", "label"), _pair("text", "labels"), _pair("sentence", "label"),
    _pair("text", "code"), *(_pair("prompt", reply) for reply in ("code", "canonical_solution")),
    _pair("document", "summary"), _pair("article", "highlights"),
    *(_pair(prompt, "summary") for prompt in ("dialogue", "text")),
    RowFormat("several summaries", "summary1", " ".join((*_SUMMARISED, *_SUMMARIES)),
              from_summaries, "the text became the prompt, summary1 the reply, others references",
              lambda row: sum(name in row for name in _SUMMARISED) == 1),
)  # fmt: skip


def rejected_in(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the message of the rejected reply in a row's fields; None if there is none."""
    value: Any = fields.get(row_format.REJECTED)
    return value[0] if are_messages(value) and len(value) == 1 else None


def are_messages(value: Any) -> bool:
    """Tell whether a value is a list of objects with a role."""
    not_empty = isinstance(value, list) and len(value) > 0
    return not_empty and all(isinstance(m, dict) and "role" in m for m in value)


def from_openai_preferences(fields: Mapping[str, Any]) -> Fields:
    """Convert OpenAI's preferences, of whose outputs only the last assistant message is trained."""
    source = fields["input"]
    if not isinstance(source, dict):
        message = "an object with `messages` is needed"
        raise Unreadable("shape", f"input is {row_format.describe_field(fields, 'input', message)}")
    row_format.validate_messages(source.get("messages"), "input.messages")
    names = ("preferred_output", "non_preferred_output")
    converted = _split_prompt(source["messages"], [fields[name] for name in names], names)
    # OpenAI's own example has `tools: []`. With no tools, `parallel_tool_calls` has no meaning.
    tool_fields = {k: v for k, v in source.items() if k in OPENAI_TOOL_KEYS and source.get("tools")}
    rest = {k: v for k, v in source.items() if k not in ("messages", *OPENAI_TOOL_KEYS)}
    return {**converted, **tool_fields, **({"input": rest} if rest else {})}


def from_trl_preferences(names: tuple[str, str], fields: Mapping[str, Any]) -> Fields:
    """Convert `prompt`, `chosen` and `rejected`, texts or lists of messages, to messages.

    If `prompt` is no list, the messages that both lists begin with are the prompt; a text in
    `prompt` is then kept as a field. LLaMA-Factory's v1 has the lists under other `names`.
    """
    sides = [parse_json_text(fields[name]) for name in names]
    prompt, leading = fields.get("prompt"), row_format.system_message(fields)
    if any(isinstance(side, str) for side in sides):
        asked = [*leading, *row_format.prompt_messages(fields, "prompt")]
        return row_format.with_openai_tools(_split_texts(asked, names, fields), fields.get("tools"))
    sides = [row_format.openai_messages(side) if isinstance(side, list) else side for side in sides]
    leading += row_format.openai_messages(prompt) if isinstance(prompt, list) else []
    kept = {} if prompt is None or isinstance(prompt, list) else {"prompt": prompt}
    converted = {**_split_prompt(leading, sides, names), **kept}
    return row_format.with_openai_tools(converted, fields.get("tools"))


def from_question(question: str, names: tuple[str, str], fields: Mapping[str, Any]) -> Fields:
    """Convert a question and two replies that are texts to messages."""
    more = ("input",) if question == "instruction" else ()
    system = row_format.system_message(fields) or row_format.system_message(fields, "system_prompt")
    asked = [*system, user_message(joined_text(fields, question, *more))]
    return _split_texts(asked, names, fields)


def _split_texts(asked: list[Message], names: Sequence[str], fields: Mapping[str, Any]) -> Fields:
    sides = [[assistant_message(text_field(fields, name))] for name in names]
    return _split_prompt(asked, sides, names)


def from_human_assistant(fields: Mapping[str, Any]) -> Fields:
    """Convert two conversations written as text, `\\n\\nHuman: ...`, to messages (Anthropic HH)."""
    sides = []
    for name in _CHOSEN:
        _, *pieces = _HH_TURN.split(text_field(fields, name))
        roles = {"Human": "user", "Assistant": "assistant"}
        turns = zip(pieces[::2], pieces[1::2], strict=True)
        sides.append([{"role": roles[speaker], "content": text} for speaker, text in turns])
    return _split_prompt([], sides, _CHOSEN)


def from_sharegpt_preferences(fields: Mapping[str, Any]) -> Fields:
    """Convert `conversations` and two turns that may follow to messages (LLaMA-Factory)."""
    sides = [side if isinstance(side, list) else [side] for side in (fields[k] for k in _CHOSEN)]
    turns = [sharegpt_messages(side, name) for side, name in zip(sides, _CHOSEN, strict=True)]
    asked = sharegpt_messages(fields["conversations"], "conversations")
    converted = _split_prompt([*row_format.system_message(fields), *asked], turns, _CHOSEN)
    return row_format.with_openai_tools(converted, fields.get("tools"))


def _split_prompt(leading: list[Message], sides: Sequence[Any], names: Sequence[str]) -> Fields:
    """Return `messages` and `rejected`; the prompt is `leading` and what both sides begin with."""
    for name, side in zip(names, sides, strict=True):
        row_format.validate_messages(side, name)
    common = 0
    while common < min(map(len, sides)) - 1 and sides[0][common] == sides[1][common]:
        common += 1
    preferred, other = (single_reply(s[common:], n) for s, n in zip(sides, names, strict=True))
    return {"messages": [*leading, *sides[0][:common], preferred], row_format.REJECTED: [other]}


def single_reply(messages: list[Message], name: str) -> Message:
    """Return the only message of a side of a preference; raise Unreadable if there are more."""
    row_format.validate_messages(messages, name)
    if len(messages) > 1:
        message = "one reply is needed, and before it only what both sides have in common"
        raise Unreadable("shape", f"{name} has {len(messages)} messages of its own; {message}")
    return messages[0]


def _question_format(question: str, names: tuple[str, str]) -> RowFormat:
    return RowFormat(
        f"preferences ({question})", " ".join((question, *names)),
        "system system_prompt" + " input" * (question == "instruction"),
        partial(from_question, question, names),
        f"{question} and {names[0]} became messages, {names[1]} became rejected",
        lambda row: isinstance(row[names[0]], str)
        and (question == "prompt" or "prompt" not in row),
    )  # fmt: skip


TRL_PREFERENCES = RowFormat(
    "preferences (TRL)", "chosen rejected", "prompt system messages tools",
    partial(from_trl_preferences, _CHOSEN), "prompt and chosen became messages")  # fmt: skip
SHAREGPT_PREFERENCES = RowFormat(
    "preferences (ShareGPT)", "conversations chosen rejected", "system tools",
    from_sharegpt_preferences, "conversations and chosen became messages")  # fmt: skip
PREFERENCE_FORMATS = (
    RowFormat("preferences (OpenAI)", "input preferred_output non_preferred_output", "",
              from_openai_preferences,
              "input and preferred_output became messages, non_preferred_output became rejected"),
    RowFormat("preferences (Anthropic HH)", "chosen rejected", "", from_human_assistant,
              "the turns of chosen became messages, the last of rejected became rejected",
              lambda row: all(isinstance(row[k], str) and _HH_TURN.match(row[k]) for k in _CHOSEN)),
    *(_question_format(question, _CHOSEN) for question in _QUESTIONS),
    TRL_PREFERENCES,
    RowFormat("preferences (LLaMA-Factory v1)", " ".join(_CHOSEN_MESSAGES), "prompt system tools",
              partial(from_trl_preferences, _CHOSEN_MESSAGES),
              "chosen_messages became messages, the last of rejected_messages became rejected"),
    *(_question_format(question, ("chosen_response", "rejected_response"))
      for question in ("prompt", *_QUESTIONS)),
)  # fmt: skip
