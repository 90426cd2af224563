"""Encodes a conversation as token ids and labels; the loss falls on the assistant's messages.

The learnt turns are found, and it is proved that the rendering holds what was given: it is rendered
a second time with a mark inside each message's text. Taken out again, the marks must leave the
first rendering: so each text is known to stand in it, and where.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..data import canonical
from ..data.canonical import content_text, given_fields, target_of
from ..data.dataset import Example
from ..data.formats.row_format import given_tools
from ..utils.text import common_length, split_reasoning
from .chat_template import ChatTemplate, Message, Messages, TemplateError, is_system

IGNORE_INDEX = -100  # the label of tokens without loss, in PyTorch and transformers
# Letters and digits alone, which templates neither trim nor escape.
MARK, _MARKS = "tunegate7c1e{}mark", re.compile(r"tunegate7c1e(\d+)mark")
WEIGHT_0 = "give the message `weight: 0`, or"
EARLIER_REPLY = "The chat template writes an earlier reply otherwise than the last one: "
EARLIER_REPLY += f"{WEIGHT_0} make a row of each turn"


class NotTrainable(ValueError):
    """A row cannot be trained on; the message names its line and the reason."""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One conversation: `labels` are the `ids` where the loss falls, else IGNORE_INDEX.

    The first `head` tokens, the template's first and the system message, are never cut off.
    """

    line: int
    ids: list[int]
    labels: list[int]
    head: int = 0

    @property
    def trained_tokens(self) -> int:
        """How many tokens the loss falls on."""
        return sum(label != IGNORE_INDEX for label in self.labels)

    @property
    def longest_reply(self) -> int:
        """The tokens of the longest unbroken run that the loss falls on."""
        runs = groupby(label != IGNORE_INDEX for label in self.labels)
        return max((sum(run) for _, run in runs), default=0)


def encode_example(example: Example, chat_template: ChatTemplate) -> EncodedRow:
    """Encode an example as token ids and labels.

    The loss falls on each assistant message whose `weight` is not 0, from the first token behind
    the generation prompt to the token that ends the turn, inclusive. What comes after the last of
    them is left out: nothing would be learnt from it. Raises NotTrainable where there is no message
    to train on, the template refuses the conversation, or leaves out a part of it; a prompt differs
    from how the trained text begins; a turn has no end; or a text has control tokens.
    """
    learnt = [i for i, message in enumerate(example.messages) if is_trained_on(message)]
    if not learnt:
        raise NotTrainable(f"line {example.line}: no assistant message to train on")
    messages = example.messages[: learnt[-1] + 1]
    try:
        refuse_control_tokens(messages, example.fields, chat_template)
        rendering = render_conversation(messages, example.fields, chat_template)
        labels = [IGNORE_INDEX] * len(rendering.ids)
        for i in learnt:
            start, end = rendering.trained_span(i)
            labels[start:end] = rendering.ids[start:end]
    except TemplateError as error:
        raise NotTrainable(f"line {example.line}: {error}") from None
    head = chat_template.head_ids(messages, rendering.tools)
    return EncodedRow(example.line, rendering.ids, labels, common_length(head, rendering.ids))


def refuse_control_tokens(
    messages: Messages, fields: Mapping[str, Any], chat_template: ChatTemplate
) -> None:
    """Raise TemplateError where a text, a tool or its call holds one of the control tokens."""
    texts = [(f"messages[{i}]", content_text(message)) for i, message in enumerate(messages)]
    texts += [(f"messages[{i}]", canonical.calls_json([m])) for i, m in enumerate(messages)]
    texts += [("`tools`", canonical.to_json(tools))] if (tools := given_tools(fields)) else []
    for where, text in texts:
        if match := chat_template.control_tokens.search(text):
            raise TemplateError(f"{where} holds the template's own control token {match[0]!r}")


def is_trained_on(message: Message) -> bool:
    """Tell whether the loss falls on a message: an assistant's whose `weight` is not 0."""
    return bool(message["role"] == "assistant" and message.get("weight", 1) != 0)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A conversation as text and token ids, of which the last message is trained on.

    `places` are positions in `text`, inside each message's text; a system message has none.
    """

    messages: Messages
    tools: Messages
    template: ChatTemplate
    text: str
    ids: list[int]
    places: Mapping[int, int]

    def trained_span(self, i: int) -> tuple[int, int]:
        """Return the first token of a learnt message, and the end of its turn.

        A turn begins behind its generation prompt and ends with its stop token, which stands before
        the text of the next message. One that the template ends otherwise because it is not the
        last (gpt-oss) is learnt as far as it is what the model would write if it were. Raises
        TemplateError where it is not what the model would be asked for, or holds what it must not.
        """
        begin, start = self._prompt(i)
        place = self.places.get(i, begin)
        following = min((p for p in self.places.values() if p > place), default=len(self.text))
        pattern, is_last = self.template.stop_pattern, i + 1 == len(self.messages)
        if stop := pattern.search(self.text, place, following):
            following = stop.end()
            number = len(pattern.findall(self.text, begin, following))
            ends = [n for n in range(start, len(self.ids)) if self.ids[n] in self.template.stop_ids]
            if number > len(ends):
                raise TemplateError(f"messages[{i}]: the tokenizer splits {stop[0]!r}, its end")
            end = ends[number - 1] + 1
        elif is_last:
            lacking = f"ends this turn without {', '.join(self.template.stop_texts)}"
            never = "a model trained on it would never stop"
            raise TemplateError(f"messages[{i}]: the chat template {lacking}: {never}")
        else:
            alone = self.template.render(self.messages[: i + 1], tools=self.tools)
            if not alone.startswith(self.text[: place + 1]):
                raise TemplateError(f"messages[{i}]: {EARLIER_REPLY}")
            end = common_length(self.template.token_ids(alone), self.ids)
        inside = {j for j, p in self.places.items() if begin <= p < following}
        if inside != {i} & self.places.keys():
            raise TemplateError(f"messages[{i}]: the chat template mixes it with other messages")
        message, span = self.messages[i], self.text[begin:following]
        reasoning = [split_reasoning(content_text(message))[0]]
        reasoning += [str(message.get(key) or "") for key in canonical.REASONING_KEYS]
        if any(thoughts.strip() not in span for thoughts in reasoning):
            left_out = f"leaves its reasoning out: {WEIGHT_0} take the reasoning out of it"
            raise TemplateError(f"messages[{i}]: the chat template {left_out}")
        return start, end

    def _prompt(self, i: int) -> tuple[int, int]:
        """Return the characters and the tokens of the prompt that message `i` answers."""
        if i == 0:
            nothing = "messages[0]: nothing is asked before the assistant speaks"
            raise TemplateError(f"{nothing}: {WEIGHT_0} begin with the user's")
        prompt = self.template.render(self.messages[:i], prompt=True, tools=self.tools)
        asked = self.template.token_ids(prompt)
        if not self.text.startswith(prompt) or self.ids[: len(asked)] != asked:
            n, decode = common_length(asked, self.ids), self.template.tokenizer.decode
            texts = f"asked {decode(asked[n : n + 8])!r}, trained {decode(self.ids[n : n + 8])!r}"
            differs = "what the model is asked is not how the trained text begins; they part at"
            advice = self._advice(i, prompt)
            raise TemplateError(f"messages[{i}]: {differs} token {n}: {texts}. {advice}")
        return len(prompt), len(asked)

    def _advice(self, i: int, prompt: str) -> str:
        """Return what to do about a prompt that is not how the trained text begins."""
        if content_text(self.messages[i])[:1].isspace():
            return "The reply begins with white space, which joins the prompt's: take it away"
        alone = self.template.render(self.messages[: i + 1], tools=self.tools)
        if i + 1 < len(self.messages) and alone.startswith(prompt):
            return EARLIER_REPLY
        opens, closes = (prompt.rstrip().endswith(tag) for tag in ("<think>", "</think>"))
        variable = self.template.thinking_variable
        if opens or closes:
            setting = f"set template_args = {{ {variable} = {str(closes).lower()} }}, "
            what, other = "closes <think>, and the reply reasons", "take the reasoning away"
            if opens:
                what = "opens <think>, and the reply is trained without"
                other = "give the reply its `reasoning_content`"
            named = "name a template of your own, chat_template = FILE"
            return f"The prompt {what}: {setting if variable else ''}{other}, or {named}"
        return "Name a template that asks as it trains, chat_template = FILE"


def render_conversation(
    messages: Messages, fields: Mapping[str, Any], template: ChatTemplate
) -> Rendering:
    """Render a conversation that ends with a message to be learnt.

    Raises TemplateError where the template refuses it, or leaves out a part of it or its `fields`.
    """
    tools = given_tools(fields)
    text = template.render(messages, tools=tools)
    places = _places(messages, tools, text, template)
    for what, fewer, fewer_tools in _with_less(messages, fields, tools):
        try:
            is_left_out = template.render(fewer, tools=fewer_tools) == text
        except TemplateError:  # what it needs is not left out
            continue
        if is_left_out:
            reason = "the model would be trained without it"
            raise TemplateError(f"{what}: the chat template leaves it out, {reason}")
    # Some templates leave it to the next message to end a turn (GLM): its first token is learnt.
    tail = text[max(places.values(), default=0) :]
    if not template.stop_pattern.search(tail):
        following = {"role": "tool" if messages[-1].get("tool_calls") else "user", "content": "Hi"}
        try:
            more = template.render([*messages, following], tools=tools).rpartition(tail)[2]
        except TemplateError:
            more = ""
        end = template.stop_pattern.match(more)
        text += end[0] if end else ""
    return Rendering(messages, tools, template, text, template.token_ids(text), places)


def _places(turns: Messages, tools: Messages, text: str, template: ChatTemplate) -> dict[int, int]:
    """Return the position in the rendered text of the middle of each message's own text."""
    marked, halves = [*turns], dict[int, tuple[str, str]]()
    for i, message in enumerate(turns):
        content = content_text(message)
        answer = split_reasoning(content)[1] if is_trained_on(message) else content
        own = answer.strip() or content.strip()
        if is_system(message):  # templates look into it for switches such as /no_think
            if own not in text:
                raise TemplateError(f"messages[{i}]: the chat template leaves its text out")
        elif own:
            half, at = len(own) // 2, content.rindex(own)
            halves[i] = own[:half], own[half:]
            middle = content[: at + half], content[at + half :]
            marked[i] = {**message, "content": MARK.format(i).join(middle)}
    pieces = _MARKS.split(template.render(marked, tools=tools))
    if "".join(pieces[::2]) != text:
        raise TemplateError("the chat template changes what is around a text with the text")
    places, position = dict[int, int](), 0
    for piece, number in zip(pieces[::2], pieces[1::2], strict=False):
        position += len(piece)
        places[int(number)] = position
    for i, (before, after) in halves.items():
        place = places.get(i, -1)
        # A result of a tool may be written as JSON, and the reasoning before a reply left out.
        is_whole = text.startswith(after, place) and text.endswith(before, 0, place)
        if place < 0 or (is_trained_on(turns[i]) and not is_whole):
            raise TemplateError(f"messages[{i}]: the chat template leaves its text out")
    return places


def _with_less(
    messages: Messages, fields: Mapping[str, Any], tools: Messages
) -> Iterator[tuple[str, Messages, Messages]]:
    """Yield what was given beside texts, and the messages and tools without it."""
    for name in given_fields(fields):
        yield f"`{name}`", messages, () if name in ("tools", "functions") else tools
    for i, message in enumerate(messages):
        others = message.keys() - {"role", "content"}
        variants = {f"`{key}`": {**message, key: None} for key in others}
        if isinstance(message.get("content"), list):
            variants["a part of its content"] = {**message, "content": content_text(message)}
        if calls := message.get("tool_calls"):
            emptied = [{**c, "function": {**c["function"], "arguments": "{}"}} for c in calls]
            variants["the arguments of its calls"] = {**message, "tool_calls": emptied}
        for what, fewer in variants.items():
            held, left = ((target_of(m), given_fields(m)) for m in (message, fewer))
            if held != left:
                yield f"messages[{i}]: {what}", [*messages[:i], fewer, *messages[i + 1 :]], tools
