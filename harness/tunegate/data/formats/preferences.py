"""Preferences: two replies to one prompt, of which one is preferred.

Sources: https://platform.openai.com/docs/api-reference/fine-tuning/preference-input,
https://huggingface.co/docs/trl/dataset_formats, and the data sets Anthropic/hh-rlhf,
Intel/orca_dpo_pairs, argilla/ultrafeedback-binarized-preferences and LLaMA-Factory's dpo_en_demo.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...utils.strict_json import Unreadable, parse_json_text
from . import row_format
from .chat import sharegpt_messages
from .pairs import joined_text

OPENAI_TOOL_KEYS = ("tools", "parallel_tool_calls")  # stand in OpenAI's `input`, with `messages`
# The fields that hold the question, the first first: Argilla's, Intel's and distilabel's.
_QUESTIONS = ("instruction", "question", "query", "input")
_CHOSEN = ("chosen", row_format.REJECTED)
_HH_TURN = re.compile(r"\n\n(Human|Assistant): ?")


def rejected_in(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the message of the rejected reply in a row's fields; None if there is none."""
    value: Any = fields.get(row_format.REJECTED)
    if not are_messages(value) or len(value) != 1:
        return None
    message: Mapping[str, Any] = value[0]
    return message


def are_messages(value: Any) -> bool:
    """Tell whether a value is a list of objects with a role."""
    not_empty = isinstance(value, list) and len(value) > 0
    return not_empty and all(isinstance(m, dict) and "role" in m for m in value)


def from_openai_preferences(fields: Mapping[str, Any]) -> row_format.Fields:
    """Convert `input`, `preferred_output` and `non_preferred_output` to messages and `rejected`.

    OpenAI trains on the last assistant message of each output only.
    """
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


def from_trl_preferences(fields: Mapping[str, Any]) -> row_format.Fields:
    """Convert `prompt`, `chosen` and `rejected`, texts or lists of messages, to messages.

    If `prompt` is no list, the messages that both lists begin with are the prompt; a text in
    `prompt` is then kept as a field.
    """
    sides = [parse_json_text(fields[name]) for name in _CHOSEN]
    prompt = fields.get("prompt")
    if any(isinstance(side, str) for side in sides):
        asked = [*row_format.system_message(fields), *row_format.prompt_messages(fields, "prompt")]
        return _split_texts(asked, _CHOSEN, fields)
    sides = [row_format.openai_messages(side) if isinstance(side, list) else side for side in sides]
    if isinstance(prompt, list):
        leading = [*row_format.system_message(fields), *row_format.openai_messages(prompt)]
        return _split_prompt(leading, sides, _CHOSEN)
    converted = _split_prompt(row_format.system_message(fields), sides, _CHOSEN)
    return converted if prompt is None else {**converted, "prompt": prompt}


def from_question(
    question: str, names: tuple[str, str], fields: Mapping[str, Any]
) -> row_format.Fields:
    """Convert a question and two replies that are texts to messages."""
    more = ("input",) if question == "instruction" else ()
    system = row_format.system_message(fields) or row_format.system_message(fields, "system_prompt")
    asked = [*system, row_format.user_message(joined_text(fields, question, *more))]
    return _split_texts(asked, names, fields)


def _split_texts(
    asked: list[row_format.Message], names: Sequence[str], fields: Mapping[str, Any]
) -> row_format.Fields:
    sides = [[row_format.assistant_message(row_format.text_field(fields, name))] for name in names]
    return _split_prompt(asked, sides, names)


def from_human_assistant(fields: Mapping[str, Any]) -> row_format.Fields:
    """Convert two conversations written as text, `\\n\\nHuman: ...`, to messages (Anthropic HH)."""
    sides = []
    for name in _CHOSEN:
        _, *pieces = _HH_TURN.split(row_format.text_field(fields, name))
        roles = {"Human": "user", "Assistant": "assistant"}
        turns = zip(pieces[::2], pieces[1::2], strict=True)
        sides.append([{"role": roles[speaker], "content": text} for speaker, text in turns])
    return _split_prompt([], sides, _CHOSEN)


def from_sharegpt_preferences(fields: Mapping[str, Any]) -> row_format.Fields:
    """Convert `conversations` and two turns that may follow to messages (LLaMA-Factory)."""
    sides = [side if isinstance(side, list) else [side] for side in (fields[n] for n in _CHOSEN)]
    turns = [sharegpt_messages(side, name) for side, name in zip(sides, _CHOSEN, strict=True)]
    asked = sharegpt_messages(fields["conversations"], "conversations")
    converted = _split_prompt([*row_format.system_message(fields), *asked], turns, _CHOSEN)
    return row_format.with_openai_tools(converted, fields.get("tools"))


def _split_prompt(
    leading: list[row_format.Message], sides: Sequence[Any], names: Sequence[str]
) -> row_format.Fields:
    """Return `messages` and `rejected` of a preference.

    `leading` stands before both sides, the preferred messages and the rejected ones. What both
    begin with is added to the prompt; one reply must be left on each. Errors name their fields.
    """
    for name, side in zip(names, sides, strict=True):
        row_format.validate_messages(side, name)
    common = 0
    while common < min(map(len, sides)) - 1 and sides[0][common] == sides[1][common]:
        common += 1
    preferred, other = (single_reply(s[common:], n) for s, n in zip(sides, names, strict=True))
    return {"messages": [*leading, *sides[0][:common], preferred], row_format.REJECTED: [other]}


def single_reply(messages: list[row_format.Message], name: str) -> row_format.Message:
    """Return the only message of a side of a preference; raise Unreadable if there are more."""
    row_format.validate_messages(messages, name)
    if len(messages) > 1:
        message = "one reply is needed, and before it only what both sides have in common"
        raise Unreadable("shape", f"{name} has {len(messages)} messages of its own; {message}")
    return messages[0]


def _question_format(question: str, names: tuple[str, str]) -> row_format.RowFormat:
    return row_format.RowFormat(
        f"preferences ({question})",
        " ".join((question, *names)),
        "system system_prompt" + " input" * (question == "instruction"),
        partial(from_question, question, names),
        f"{question} and {names[0]} became messages, {names[1]} became rejected",
        lambda row: (
            isinstance(row[names[0]], str) and (question == "prompt" or "prompt" not in row)
        ),
    )


TRL_PREFERENCES = row_format.RowFormat(
    "preferences (TRL)", "chosen rejected", "prompt system messages", from_trl_preferences,
    "prompt and chosen became messages",
)  # fmt: skip
SHAREGPT_PREFERENCES = row_format.RowFormat(
    "preferences (ShareGPT)", "conversations chosen rejected", "system tools",
    from_sharegpt_preferences, "conversations and chosen became messages",
)  # fmt: skip
PREFERENCE_FORMATS = (
    row_format.RowFormat("preferences (OpenAI)", "input preferred_output non_preferred_output", "",
              from_openai_preferences,
              "input and preferred_output became messages, non_preferred_output became rejected"),
    row_format.RowFormat("preferences (Anthropic HH)", "chosen rejected", "", from_human_assistant,
              "the turns of chosen became messages, the last of rejected became rejected",
              lambda row: all(isinstance(row[n], str) and _HH_TURN.match(row[n]) for n in _CHOSEN)),
    *(_question_format(question, _CHOSEN) for question in _QUESTIONS),
    TRL_PREFERENCES,
    *(_question_format(question, ("chosen_response", "rejected_response"))
      for question in ("prompt", *_QUESTIONS)),
)  # fmt: skip
