"""Finds the learnt turns of a conversation, and proves that its rendering holds what was given.

The conversation is rendered a second time with a mark inside each message's text. Taken out again,
the marks must leave the first rendering: so each text is known to stand in it, and where.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from ..data.canonical import REASONING_KEYS, content_text, given_fields, target_of
from ..data.formats.messages import given_tools
from ..utils.text import split_reasoning
from .chat_template import ChatTemplate, Messages, TemplateError, is_system

# Letters and digits alone, which templates neither trim nor escape.
MARK, _MARKS = "tunegate7c1e{}mark", re.compile(r"tunegate7c1e(\d+)mark")
EARLIER_REPLY = (
    "the chat template writes an earlier reply otherwise than the last one: give the message "
    "`weight: 0`, or make a row of each turn"
)


def is_trained_on(message: Mapping[str, Any]) -> bool:
    """Tell whether the loss falls on a message: an assistant's whose `weight` is not 0."""
    return bool(message["role"] == "assistant" and message.get("weight", 1) != 0)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A conversation as text and token ids; `places` says where a text of each message stands.

    A place is the position in `text` of a character inside the message's own text; a message
    without a text, and a system message, has none. The last message is one that is trained on.
    """

    messages: Messages
    tools: Messages
    template: ChatTemplate
    text: str
    ids: list[int]
    places: Mapping[int, int]

    def trained_spans(self) -> Iterator[tuple[int, int]]:
        """Yield the first token, and the end, of each message that the loss falls on.

        A turn begins behind its generation prompt and ends with its stop token, which stands before
        the text of the next message. A turn that the template ends otherwise because it is not the
        last (gpt-oss) is learnt as far as it is what the model would write if it were.

        Raises TemplateError where a turn is not what the model would be asked for, or holds a part
        of another message.
        """
        for i, message in enumerate(self.messages):
            if is_trained_on(message):
                yield self._span(i, message)

    def _span(self, i: int, message: Mapping[str, Any]) -> tuple[int, int]:
        prompt, start = self._prompt(i)
        place = self.places.get(i, len(prompt))
        following = min((p for p in self.places.values() if p > place), default=len(self.text))
        stop = self.template.stop_pattern.search(self.text, place, following)
        if stop is not None:
            end_position = stop.end()
            stops = len(self.template.stop_pattern.findall(self.text, len(prompt), end_position))
            ends = [n for n in range(start, len(self.ids)) if self.ids[n] in self.template.stop_ids]
            if len(ends) < stops:
                raise TemplateError(f"messages[{i}]: the tokenizer splits the end of this turn")
            end = ends[stops - 1] + 1
        elif i + 1 < len(self.messages):
            alone = self.template.render(self.messages[: i + 1], tools=self.tools)
            if not alone.startswith(self.text[: place + 1]):
                raise TemplateError(f"messages[{i}]: {EARLIER_REPLY}")
            end = common_length(self.template.token_ids(alone), self.ids)
            end_position = following
        else:
            raise TemplateError(
                f"messages[{i}]: the chat template ends this turn without "
                f"{', '.join(self.template.stop_texts)}: a model trained on it would never stop"
            )
        inside = {j for j, p in self.places.items() if len(prompt) <= p < end_position}
        if inside != {i} & self.places.keys() or end <= start:
            raise TemplateError(f"messages[{i}]: the chat template mixes it with other messages")
        for thoughts in _reasoning_of(message):
            if thoughts not in self.text[len(prompt) : end_position]:
                raise TemplateError(
                    f"messages[{i}]: the chat template leaves its reasoning out: give the message "
                    "`weight: 0`, or take the reasoning out of it"
                )
        return start, end

    def _prompt(self, i: int) -> tuple[str, int]:
        """Return the prompt that message `i` answers, and the number of its tokens."""
        if i == 0:
            raise TemplateError(
                "messages[0]: nothing is asked before the assistant speaks: give the message "
                "`weight: 0`, or begin with the user's"
            )
        prompt = self.template.render(self.messages[:i], prompt=True, tools=self.tools)
        asked = self.template.token_ids(prompt)
        if not self.text.startswith(prompt) or self.ids[: len(asked)] != asked:
            n, decode = common_length(asked, self.ids), self.template.tokenizer.decode
            raise TemplateError(
                f"messages[{i}]: what the model is asked is not how the trained text begins; they "
                f"part at token {n}: asked {decode(asked[n : n + 8])!r}, trained "
                f"{decode(self.ids[n : n + 8])!r}. {self._advice(i, prompt)}"
            )
        return prompt, len(asked)

    def _advice(self, i: int, prompt: str) -> str:
        """Return what to do about a prompt that is not how the trained text begins."""
        if content_text(self.messages[i])[:1].isspace():
            return "The reply begins with white space, which joins the prompt's: take it away"
        alone = self.template.render(self.messages[: i + 1], tools=self.tools)
        if i + 1 < len(self.messages) and alone.startswith(prompt):
            return EARLIER_REPLY[0].upper() + EARLIER_REPLY[1:]
        variable = self.template.thinking_variable
        if prompt.rstrip().endswith("</think>"):
            on = f": set template_args = {{ {variable} = true }}, or" if variable else ":"
            return f"The prompt closes <think>, and the reply reasons{on} take the reasoning away"
        if prompt.rstrip().endswith("<think>"):
            off = f"set template_args = {{ {variable} = false }}, " if variable else ""
            return (
                f"The prompt opens <think>, and the reply is trained without: {off}give the reply "
                "its `reasoning_content`, or name a template of your own, chat_template = FILE"
            )
        return "Name a template that asks as it trains, chat_template = FILE"


def render_conversation(
    messages: Messages, fields: Mapping[str, Any], template: ChatTemplate
) -> Rendering:
    """Render a conversation that ends with a message to be learnt.

    `fields` are those of its row. Raises TemplateError where the template refuses it, or leaves out
    something that it was given: a text, a picture, a tool call, a refusal, tools.
    """
    tools: Messages = given_tools(fields)
    text = template.render(messages, tools=tools)
    places = _places(messages, tools, text, template)
    for what, fewer, fewer_tools in _with_less(messages, fields):
        try:
            left_out = template.render(fewer, tools=fewer_tools) == text
        except TemplateError:  # what it needs is not left out
            left_out = False
        if left_out:
            reason = "the model would be trained without it"
            raise TemplateError(f"{what}: the chat template leaves it out, {reason}")
    # Some templates leave it to the next message to end a turn (GLM): its first token is learnt.
    tail = text[max(places.values(), default=0) :]
    if not template.stop_pattern.search(tail):
        role = "tool" if messages[-1].get("tool_calls") else "user"
        try:
            more = template.render([*messages, {"role": role, "content": "Hi"}], tools=tools)
        except TemplateError:
            more = ""
        begins, end = more.rfind(tail), None
        if begins >= 0:
            end = template.stop_pattern.match(more, begins + len(tail))
        text += end[0] if end else ""
    return Rendering(messages, tools, template, text, template.token_ids(text), places)


def _places(
    messages: Messages, tools: Messages, text: str, template: ChatTemplate
) -> dict[int, int]:
    """Return the position in the rendered text of the middle of each message's own text."""
    marked, halves = list[Mapping[str, Any]](), dict[int, tuple[str, str]]()
    for i, message in enumerate(messages):
        content = content_text(message)
        answer = split_reasoning(content)[1] if is_trained_on(message) else content
        own = answer.strip() or content.strip()
        if is_system(message):  # templates look into it for switches such as /no_think
            if own not in text:
                raise TemplateError(f"messages[{i}]: the chat template leaves its text out")
        elif own:
            middle = content.rindex(own) + len(own) // 2
            halves[i] = own[: len(own) // 2], own[len(own) // 2 :]
            mark = MARK.format(i).join([content[:middle], content[middle:]])
            message = {**message, "content": mark}
        marked.append(message)
    pieces = _MARKS.split(template.render(marked, tools=tools))
    if "".join(pieces[::2]) != text:
        raise TemplateError("the chat template changes what is around a text with the text")
    places, position = dict[int, int](), 0
    for piece, number in zip(pieces[::2], pieces[1::2], strict=False):
        position += len(piece)
        places[int(number)] = position
    for i, (before, after) in halves.items():
        place = places.get(i)
        is_whole = place is not None and (
            text.startswith(after, place) and text.endswith(before, 0, place)
        )
        # A result of a tool may be written as JSON, and the reasoning before a reply left out.
        if place is None or (is_trained_on(messages[i]) and not is_whole):
            raise TemplateError(f"messages[{i}]: the chat template leaves its text out")
    return places


def _with_less(
    messages: Messages, fields: Mapping[str, Any]
) -> Iterator[tuple[str, Messages, Messages]]:
    """Yield what else was given, and the messages and tools without it."""
    tools: Messages = given_tools(fields)
    for name in given_fields(fields):
        yield f"`{name}`", messages, () if name in ("tools", "functions") else tools
    for i, message in enumerate(messages):
        for what, fewer in _message_with_less(message):
            yield f"messages[{i}]: {what}", [*messages[:i], fewer, *messages[i + 1 :]], tools


def _message_with_less(message: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what a message holds beside its text, and the message without it."""
    for key, value in message.items():
        if key in ("role", "weight") or (key == "content" and isinstance(value, str)):
            continue
        fewer = {k: v for k, v in message.items() if k != key}
        if key == "content":
            fewer["content"] = content_text(message)
            parts = value if isinstance(value, list) else []
            types = [p.get("type") for p in parts if isinstance(p, dict) and "text" not in p]
            key = f"a part {next(iter(types), '?')!r}"
        else:
            key = f"`{key}`"
        if target_of(message) != target_of(fewer) or given_fields(message) != given_fields(fewer):
            yield key, fewer
    calls: Sequence[Mapping[str, Any]] = message.get("tool_calls") or ()
    for n, call in enumerate(calls):
        function = call["function"]
        if function.get("arguments") not in (None, "", "{}", {}):
            emptied = {**call, "function": {**function, "arguments": {}}}
            others = [*calls[:n], emptied, *calls[n + 1 :]]
            yield f"the arguments of call {n}", {**message, "tool_calls": others}
        if len(calls) > 1:
            yield f"call {n}", {**message, "tool_calls": [*calls[:n], *calls[n + 1 :]]}


def _reasoning_of(message: Mapping[str, Any]) -> set[str]:
    thoughts = [split_reasoning(content_text(message))[0]]
    thoughts += [str(message[key]) for key in REASONING_KEYS if message.get(key)]
    return {text.strip() for text in thoughts}


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with alike."""
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    )
