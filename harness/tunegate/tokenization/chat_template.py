"""Renders messages with a chat template to token ids, for counting, training and generation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ..data.canonical import content_text
from ..data.replies import Calls, read_reply
from ..utils.strict_json import parse_json_text
from .render_limits import MAX_MEMORY, uses_powers, within_limits

# Some templates, such as Llama 3.2's, write today's date. They get this date instead, in training
# and after it, so that a prompt does not change from day to day. Llama's templates use it when they
# are given no date.
FIXED_DATE = date(2024, 7, 26)
_STRFTIME_NOW = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")
_THOUGHTS = re.compile(r"(?:<\|message\|>|\A(?!<\|))(.*?)(?=<\||\Z)", re.S)

Messages = Sequence[Mapping[str, Any]]


class TemplateError(ValueError):
    """The chat template refused a conversation, or cannot be used; the message says why."""


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer of `transformers` with its chat template, and the tokens that end a turn."""

    tokenizer: Any
    stop_ids: frozenset[int]
    control_tokens: re.Pattern[str]

    def render(self, messages: Messages, *, prompt: bool = False, tools: Messages = ()) -> str:
        """Return a conversation as text; as a `prompt`, with the start of the assistant's turn."""
        template = self.tokenizer.chat_template
        try:
            if isinstance(template, str):
                template = _STRFTIME_NOW.sub(lambda m: repr(FIXED_DATE.strftime(m[2])), template)
            else:  # several templates by name: the tokenizer chooses
                template = None
            # Templates expect the content as text, not as parts, and arguments as JSON values.
            texts = [{**_with_values(m), "content": content_text(m)} for m in messages]
            with within_limits():
                rendered: str = self.tokenizer.apply_chat_template(
                    texts, tools=[*tools] or None, tokenize=False, add_generation_prompt=prompt,
                    chat_template=template,
                )  # fmt: skip
        except MemoryError:
            limit = f"{MAX_MEMORY >> 30} GB of memory"
            raise TemplateError(f"the chat template needs more than {limit}") from None
        except Exception as error:  # templates raise whatever their author had them raise
            raise TemplateError(f"the chat template refuses it: {error}") from None
        return rendered

    def token_ids(self, text: str) -> list[int]:
        """Return the token ids of a rendered text; the template has written all special tokens."""
        token_ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return token_ids

    def prompt_ids(self, messages: Messages, tools: Messages = ()) -> list[int]:
        """Return the token ids that a model is given to answer these messages."""
        return self.token_ids(self.render(messages, prompt=True, tools=tools))

    @cached_property
    def written_before(self) -> str:
        """What the template writes after the generation prompt: an empty `<think>`, a channel."""
        question, reply = {"role": "user", "content": "Hi"}, "tunegate"
        try:
            prompt = self.render([question], prompt=True)
            whole = self.render([question, {"role": "assistant", "content": reply}])
        except TemplateError:
            return ""
        before, found, _ = whole.removeprefix(prompt).partition(reply)
        return before if found and whole.startswith(prompt) else ""

    def read_answer(self, ids: Sequence[int], tools: Messages = ()) -> tuple[str, str, Calls]:
        """Return the text of generated token ids up to the end of the turn, reasoning, tool calls.

        What the template writes before a reply is no part of it, and what stands before that is
        reasoning. Tool calls are read where there are `tools`.
        """
        end = next((i for i, token in enumerate(ids) if token in self.stop_ids), len(ids))
        decode = partial(self.tokenizer.decode, [*ids[:end]], clean_up_tokenization_spaces=False)
        text, mark, before = decode(skip_special_tokens=False), self.written_before, ""
        if mark and (text.startswith(mark) or (mark.strip() and mark in text)):
            before, _, text = text.partition(mark)
        elif not tools:
            text = decode(skip_special_tokens=True)
        text, reasoning, calls = read_reply(text, tools)
        reasoning = reasoning or "".join(_THOUGHTS.findall(before)).strip()
        return self.control_tokens.sub("", text), reasoning, calls

    @property
    def pad_id(self) -> int:
        """The id that pads short rows; padding is masked, so a stop token can be used for it."""
        pad_token = self.tokenizer.pad_token_id
        return int(min(self.stop_ids) if pad_token is None else pad_token)


def _with_values(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message without its weight, the arguments of its tool calls as JSON values."""
    fields = {key: value for key, value in message.items() if key != "weight"}
    if fields.get("tool_calls"):
        fields["tool_calls"] = deepcopy(fields["tool_calls"])
        for function in (call["function"] for call in fields["tool_calls"]):
            function["arguments"] = parse_json_text(function.get("arguments"))
    return fields


def load_template(folder: Path | str) -> ChatTemplate:
    """Read the tokenizer and the chat template of a model, without any download.

    Args:
        folder: The model's folder, or a hub name that the cache on this machine holds.

    Raises:
        TemplateError: The tokenizer cannot be read or has no chat template, or no file of the
            model names the token that ends a turn.
        ImportError: transformers is not installed.
    """
    from transformers import AutoTokenizer

    try:
        # Code that comes with a model is never run, and nobody is asked whether it may.
        tokenizer: Any = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # a missing file, a broken one, an unknown class
        reason = str(error).strip().partition("\n")[0]
        if "custom code" in reason:
            reason = "it is code of its own (trust_remote_code), which is never run"
        raise TemplateError(f"{folder} holds no tokenizer that can be read: {reason}") from None
    if not tokenizer.chat_template:
        raise TemplateError(f"the tokenizer in {folder} has no chat template (chat_template.jinja)")
    templates = tokenizer.chat_template
    texts = templates.values() if isinstance(templates, dict) else [templates]
    if any(uses_powers(text) for text in texts):
        raise TemplateError(f"the chat template in {folder} computes powers (**), which none needs")
    # A chat model names the ids that end a turn in its tokenizer, or in its generation settings.
    named_ids = [tokenizer.eos_token_id]
    generation = Path(folder, "generation_config.json")
    if generation.is_file():
        named_ids.append(json.loads(generation.read_bytes()).get("eos_token_id"))
    flat = (i for n in named_ids for i in (n if isinstance(n, list) else [n]))
    stop_ids = frozenset(i for i in flat if i is not None)
    if not stop_ids:
        raise TemplateError(f"{folder} names no eos_token: the model would never learn to stop")
    longest_first = sorted(tokenizer.all_special_tokens, key=len, reverse=True)
    control_tokens = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
    return ChatTemplate(tokenizer, stop_ids, control_tokens)
