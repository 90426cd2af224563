"""Chat format: every row must be one that a fine-tuning service and a chat template accept.

The rules are those of OpenAI's chat fine-tuning files, which other providers and trl share:
https://platform.openai.com/docs/guides/supervised-fine-tuning and the Chat Completions reference.
The checker in OpenAI's cookbook is older: it refuses OpenAI's own example, and accepts a row that
ends on the user, `weight: 0.5`, and a row whose every weight is 0.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tunegate import Finding, check
from tunegate.checking import parallel
from tunegate.data.canonical import content_text
from tunegate.data.dataset import Dataset, Example, open_questions, rejected_messages
from tunegate.data.formats.row_format import json_type
from tunegate.utils.text import cut

from ._junk import JUNK_HINTS, Fault, junk_faults

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MESSAGE_KEYS = (
    *("role", "content", "name", "weight", "refusal", "tool_calls", "tool_call_id"),
    *("function_call", "reasoning_content", "thinking"),
)
# Of an object in `content`: its `type`, which is also the key that holds its data.
PART_TYPES = ("text", "image_url", "input_audio", "file")
# Parts of Hugging Face's templates, and the field of the row that holds their files in order.
MEDIA_FIELDS = {"image": "images", "audio": "audios", "video": "videos"}
# What a message of the assistant may have instead of text.
CONTENT_ALTERNATIVES = ("tool_calls", "function_call", "refusal")
# What some templates and services take and others refuse: the check `tokens` asks the template.
TEMPLATE_ADVICE = "the chat template must take that"
HINT_KINDS = frozenset({"developer", "opening", "two users", "unnamed result", *JUNK_HINTS})


@check(name="format")
def find(
    dataset: Dataset, *, fewest: int = 10, largest: float = 512, allow: Collection[str] = ()
) -> Iterator[Finding]:
    """Yield each violation of the chat format, and a file size that services refuse.

    Rows that could not be read come first, those of one unknown shape in one finding; then fields
    that say a row is bad or counts less, until the configuration says what they mean
    (`tunegate.data.dataset`). Other fields of a row beside its messages (a language, a source) are
    allowed; an unknown key of a message is a finding, since no service acts on it. A rejected
    reply must follow the same rules as the preferred one, in its place.

    Junk in texts: "placeholder" (`{{name}}`; in a reply `{order_id}`), "missing value" (`nan` for a
    whole text), "mojibake", "lost letter" (U+FFFD), "entity" (HTML), "unclosed think", "control
    token" (of a chat template). Texts in backticks and rows about such things are left alone.

    Hints: a row that begins with the assistant, two messages of the user in a row, and results of
    tools without an id, which templates take or refuse (`tokens.find` asks the template); `None`
    for a whole text; HTML entities that the model only reads; tokens that prose names; `[NAME]`.

    `fewest` is the least number of examples, `largest` the largest file, in megabytes (10^6 bytes);
    `allow` has kinds that are meant in this data set, such as "placeholder".
    """
    yield from _once(dataset.problems, lambda row: row.kind == "shape" and not row.hint)
    yield from open_questions(dataset)
    if (n := len(dataset)) < fewest:
        evidence = f"{n} examples; at least {fewest} are needed, so {fewest - n} more"
        yield Finding.of_dataset("too few", evidence)
    size = dataset.path.stat().st_size / 1e6 if dataset.path.is_file() else 0.0
    if size > largest:
        evidence = f"the file has {size:,.0f} MB; at most {largest:,.0f} MB are taken"
        yield Finding.of_dataset("too large", evidence)
    found = parallel.run_in_chunks(_row_findings, dataset)
    yield from _once((f for f in found if f.kind not in allow), lambda finding: finding.hint)


def _once(findings: Iterable[Finding], shared: Callable[[Finding], bool]) -> Iterator[Finding]:
    """Yield findings, at their end once those that are `shared`, by evidence, with their rows."""
    groups: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if shared(finding):
            groups[finding.kind, finding.evidence].append(finding)
        else:
            yield finding
    for (kind, evidence), (first, *others) in groups.items():
        lines = list(dict.fromkeys(f.line for f in (first, *others)))  # a file can be one line
        numbers = ", ".join(map(str, lines[:3])) + ", ..." * (len(lines) > 3)
        rows = f"{len(others) + 1:,} rows: line {numbers}"
        if others and first.hint:
            yield Finding.dataset_hint(kind, f"{rows}: {evidence}")
        else:
            yield replace(first, evidence=f"{evidence} ({rows})") if others else first


def _row_findings(dataset: Dataset) -> Iterator[Finding]:
    for example in dataset:
        faults = [*_faults(example)]
        if messages := rejected_messages(example):
            last = f"messages[{len(messages) - 1}]"
            for kind, evidence in _faults(Example(0, 0, {**example.fields, "messages": messages})):
                if evidence.startswith(last):
                    faults.append((kind, f"rejected[0]{evidence.removeprefix(last)}"))
        for kind, evidence in faults:
            yield example.finding(kind, evidence, hint=kind in HINT_KINDS)


def _faults(example: Example) -> Iterator[Fault]:
    messages = example.messages
    for i, message in enumerate(messages):
        yield from _message_faults(f"messages[{i}]", message)
    previous_role = ""
    for i, message in enumerate(messages):
        role, path = message["role"], f"messages[{i}]"
        if role in ("system", "developer"):
            if i > 0:
                yield "order", f"{path} is from {role}; its place is first, once"
            continue
        if role == previous_role == "user":
            yield "two users", f"two messages of the user in a row; {TEMPLATE_ADVICE}"
        elif role == previous_role == "assistant":
            yield "order", f"{path} is from {role}, as the one before it; join the two"
        if role == "assistant" and not previous_role:
            if any(m["role"] == "user" for m in messages):
                yield "opening", f"the assistant begins, before the user; {TEMPLATE_ADVICE}"
            else:
                yield "order", f"{path} is from assistant, with nothing from the user in the row"
        previous_role = role
    yield from tool_call_faults(messages, example.fields.get("tools"))
    yield from _media_faults(example)
    yield from junk_faults(example)
    # Training needs a reply to learn: the last message, with a weight that is not 0.
    if (last_role := messages[-1]["role"]) != "assistant":
        last = f"messages[{len(messages) - 1}], the last, is from {format_json(last_role)}"
        yield "last", f"{last}; the assistant must have the last word"
    replies = [m for m in messages if m["role"] == "assistant"]
    if replies and all(type(m.get("weight")) is int and m["weight"] == 0 for m in replies):
        yield "weight", "every assistant message has weight 0; nothing of the row would be learnt"


def _media_faults(example: Example) -> Iterator[Fault]:
    """Yield places for pictures, sound or video that have no file in the row, or too many."""
    messages = example.messages
    parts = [p for m in messages if isinstance(m.get("content"), list) for p in m["content"]]
    for kind, field in MEDIA_FIELDS.items():
        files = example.fields.get(field)
        count = len(files) if isinstance(files, list) else int(bool(files))
        # A part that has nothing but its type stands for the next file; so does the text `<image>`.
        places = sum(part == {"type": kind} for part in parts)
        if count:
            places += sum(content_text(message).count(f"<{kind}>") for message in messages)
        if places and places != count:
            found = f"places for a {kind} in the messages: {places}"
            yield field, f"{found}; files in `{field}`: {count}"


def _message_faults(path: str, message: Mapping[str, Any]) -> Iterator[Fault]:
    if (role := message["role"]) not in ROLES:
        yield "role", f"{path}.role is {format_json(role)}; one of {', '.join(ROLES)} is valid"
    if role == "developer":
        advice = "only newer OpenAI models know it; `system` is understood everywhere"
        yield "developer", f"{path}.role is 'developer': {advice}"
    for key in message:
        if key not in MESSAGE_KEYS:
            valid = ", ".join(MESSAGE_KEYS)
            yield "key", f"{path} has the key {format_json(key)}; valid are {valid}"
    if "name" in message and not (isinstance(message["name"], str) and message["name"].strip()):
        yield "name", f"{path}.name is {format_json(message['name'])}; a text is needed, or no name"
    yield from _content_faults(f"{path}.content", message)
    if "weight" in message:
        weight = message["weight"]
        if type(weight) is not int or weight not in (0, 1):  # True and 1.0 equal 1, but are refused
            yield "weight", f"{path}.weight is {format_json(weight)}; 0 or 1 is valid"
        if role != "assistant":
            advice = "only the assistant's messages have one"
            yield "weight", f"{path}.weight stands on {format_json(role)}; {advice}"


def _content_faults(path: str, message: Mapping[str, Any]) -> Iterator[Fault]:
    content, role = message.get("content"), message["role"]
    has_alternative = role == "assistant" and any(message.get(k) for k in CONTENT_ALTERNATIVES)
    if content is None:
        if not has_alternative:
            description = "null" if "content" in message else "missing"
            yield "content", f"{path} is {description}; only beside tool_calls may it be"
        return
    if isinstance(content, str):
        yield from _text_faults(path, content, has_alternative)
        return
    if not content:
        yield "empty", f"{path} is an empty list; at least one part is needed"
    valid_types = (*PART_TYPES, *MEDIA_FIELDS) if role == "user" else ("text",)
    for i, part in enumerate(content):
        place = f"{path}[{i}]"
        if not isinstance(part, dict):
            yield "content", f"{place} is {format_json(part)}; an object with a `type` is needed"
            continue
        if (part_type := part.get("type")) not in valid_types:
            advice = f"from {role}, valid is {', '.join(valid_types)}"
            yield "content", f"{place}.type is {format_json(part_type)}; {advice}"
        elif part_type == "text" and isinstance(part.get("text"), str):
            yield from _text_faults(f"{place}.text", part["text"])
        elif part_type not in MEDIA_FIELDS and not isinstance(part.get(part_type), dict):
            needed = "a text" if part_type == "text" else "an object"
            value = format_json(part.get(part_type))
            yield "content", f"{place}.{part_type} is {value}; {needed} is needed"


def _text_faults(path: str, text: str, may_be_null: bool = False) -> Iterator[Fault]:
    if not text.strip():
        remedy = "write the text, or leave the row out"
        remedy = "write null, beside tool_calls" if may_be_null else remedy
        yield "empty", f"{path} is {'blank' if text else 'empty'}; {remedy}"
    elif "\0" in text:
        yield "content", f"{path} holds a NUL character at {text.index(chr(0)) + 1}; remove it"


def format_json(value: object) -> str:
    """Return a value as evidence shows it: JSON of at most 40 characters, or its type's name."""
    return json_type(value) if isinstance(value, dict | list) else cut(json.dumps(value), 40)


def tool_call_faults(messages: Sequence[Mapping[str, Any]], tools: Any = None) -> Iterator[Fault]:
    """Yield kind and evidence of each fault in the tool calls of a row, and in its `tools`."""
    names: set[str] | None = None  # None: the row does not say which tools there are
    if tools is not None:
        yield from _tool_list_faults(tools)
    if isinstance(tools, list):
        functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
        names = {str(f.get("name")) for f in functions if isinstance(f, dict)}
    # One result for each call, in its place: platform.openai.com/docs/guides/function-calling.
    open_calls: list[str] = []  # ids of the calls whose result is due
    for i, message in enumerate(messages):
        path = f"messages[{i}]"
        open_ids = ", ".join(format_json(c) for c in open_calls)
        if message["role"] == "tool":
            if (call_id := message.get("tool_call_id")) in open_calls:
                open_calls.remove(call_id)
            elif call_id is None and not open_calls and _follows_text(messages[:i]):
                advice = "templates with a role tool take it, OpenAI does not"
                yield "unnamed result", f"a result of a tool answers a call that is text; {advice}"
            else:
                unknown = f": it answers no call that is open (open: {open_ids or 'none'})"
                lacking = "; the id of the call it answers is needed"
                fault = unknown if isinstance(call_id, str) else lacking
                yield "tool result", f"{path}.tool_call_id is {format_json(call_id)}{fault}"
            continue
        if open_calls:
            yield "tool result", f"{path} stands where the result of {open_ids} is due"
            open_calls = []
        if "tool_call_id" in message:
            yield "tool result", f"{path}.tool_call_id belongs to a message from tool alone"
        if (calls := message.get("tool_calls")) is not None:
            if message["role"] != "assistant":
                role = format_json(message["role"])
                yield "tool call", f"{path}.tool_calls stands on {role}, not assistant"
            yield from _call_list_faults(f"{path}.tool_calls", calls, names)
            open_calls = _call_ids(calls)
        if message.get("function_call") is not None:
            yield from _function_faults(f"{path}.function_call", message["function_call"], names)


def _follows_text(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the last message that is no result is a text of the assistant (Hermes)."""
    last = next((m for m in reversed(messages) if m["role"] != "tool"), None)
    return last is not None and last["role"] == "assistant" and not last.get("tool_calls")


def _tool_list_faults(tools: Any) -> Iterator[Fault]:
    if not isinstance(tools, list) or not tools:
        description = "empty" if tools == [] else format_json(tools)
        yield "tools", f"tools is {description}; a list is needed"
        return
    for i, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or tool.get("type") != "function":
            yield "tools", f'tools[{i}] is not {{"type": "function", "function": {{...}}}}'
        elif not isinstance(function.get("name"), str) or not function["name"].strip():
            name = format_json(function.get("name"))
            yield "tools", f"tools[{i}].function.name is {name}; give a name"


def _call_ids(calls: Any) -> list[str]:
    calls = calls if isinstance(calls, list) else []
    ids = (call.get("id") for call in calls if isinstance(call, dict))
    return [i for i in ids if isinstance(i, str)]


def _call_list_faults(path: str, calls: Any, names: set[str] | None) -> Iterator[Fault]:
    if not isinstance(calls, list) or not calls:
        description = "empty" if calls == [] else format_json(calls)
        advice = "a list of calls is needed, or no such key"
        yield "tool call", f"{path} is {description}; {advice}"
        return
    for i, call in enumerate(calls):
        place = f"{path}[{i}]"
        if not isinstance(call, dict):
            yield "tool call", f"{place} is {format_json(call)}; an object is needed"
            continue
        call_id, call_type = call.get("id"), call.get("type")
        if not isinstance(call_id, str) or not call_id.strip():
            advice = "a text is needed, for its result"
            yield "tool call", f"{place}.id is {format_json(call_id)}; {advice}"
        if call_type != "function":
            yield "tool call", f"{place}.type is {format_json(call_type)}; 'function' is valid"
        yield from _function_faults(f"{place}.function", call.get("function"), names)
    ids = _call_ids(calls)
    for repeated_id in sorted({i for i in ids if ids.count(i) > 1}):
        problem = f"has the id {format_json(repeated_id)} twice; each needs its own"
        yield "tool call", f"{path} {problem}"


def _function_faults(path: str, function: Any, names: set[str] | None) -> Iterator[Fault]:
    """Yield the faults of a called function's name, which must be in `names`, and arguments."""
    if not isinstance(function, dict):
        yield "tool call", f"{path} is {format_json(function)}; an object is needed"
        return
    name = function.get("name")
    if not isinstance(name, str) or not name.strip():
        yield "tool call", f"{path}.name is {format_json(name)}; the name of a tool is needed"
    elif names is not None and name not in names:
        valid = ", ".join(sorted(names)) or "none"
        yield "tool call", f"{path}.name is {format_json(name)}; the row's tools are: {valid}"
    path, arguments = f"{path}.arguments", function.get("arguments")
    if not isinstance(arguments, str):
        advice = "the arguments as a JSON text are needed (json.dumps)"
        yield "arguments", f"{path} is {format_json(arguments)}; {advice}"
        return
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        yield "arguments", f"{path} is a text that is not JSON; write an object, such as '{{}}'"
        return
    if not isinstance(value, dict):
        yield "arguments", f"{path} holds {format_json(value)} as JSON; an object is needed"
