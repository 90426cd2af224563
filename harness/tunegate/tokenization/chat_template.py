"""Renders messages with a chat template to token ids, for counting, training and generation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..data.canonical import content_text

# Some templates, such as Llama 3.2's, write today's date. They get this date instead, in training
# and after it, so that a prompt does not change from day to day. Llama's templates use it when they
# are given no date.
FIXED_DATE = date(2024, 7, 26)
_STRFTIME_NOW = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")

Messages = Sequence[Mapping[str, Any]]


class TemplateError(ValueError):
    """The chat template refused a conversation, or cannot be used; the message says why."""


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer of `transformers` with its chat template, and the tokens that end a turn."""

    tokenizer: Any
    stop_ids: frozenset[int]
    control_tokens: re.Pattern[str]

    def render(self, messages: Messages, *, prompt: bool = False) -> str:
        """Return a conversation as text; as a `prompt`, with the start of the assistant's turn."""
        template = self.tokenizer.chat_template
        try:
            if isinstance(template, str):
                template = _STRFTIME_NOW.sub(lambda m: repr(FIXED_DATE.strftime(m[2])), template)
            else:  # several templates by name: the tokenizer chooses
                template = None
            fields = ({k: v for k, v in m.items() if k != "weight"} for m in messages)
            rendered: str = self.tokenizer.apply_chat_template(
                # Templates expect the content as text, not as parts.
                [{**f, "content": content_text(f)} for f in fields],
                tokenize=False,
                add_generation_prompt=prompt,
                chat_template=template,
            )
        except Exception as error:  # templates raise whatever their author had them raise
            raise TemplateError(f"the chat template refuses it: {error}") from None
        return rendered

    def token_ids(self, text: str) -> list[int]:
        """Return the token ids of a rendered text; the template has written all special tokens."""
        token_ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return token_ids

    def prompt_ids(self, messages: Messages) -> list[int]:
        """Return the token ids that a model is given to answer these messages."""
        return self.token_ids(self.render(messages, prompt=True))

    def answer_text(self, ids: Sequence[int]) -> str:
        """Return the text of generated token ids, up to the token that ends the turn."""
        end = next((i for i, token in enumerate(ids) if token in self.stop_ids), len(ids))
        decoded: str = self.tokenizer.decode(
            list(ids[:end]), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return decoded

    @property
    def pad_id(self) -> int:
        """The id that pads short rows; padding is masked, so a stop token can be used for it."""
        pad_token = self.tokenizer.pad_token_id
        return int(min(self.stop_ids) if pad_token is None else pad_token)


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
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a missing file, a broken one, an unknown class
        reason = str(error).strip().partition("\n")[0]
        raise TemplateError(f"{folder} holds no tokenizer that can be read: {reason}") from None
    if not tokenizer.chat_template:
        raise TemplateError(f"the tokenizer in {folder} has no chat template (chat_template.jinja)")
    stops = _stop_ids(tokenizer, Path(folder))
    if not stops:
        raise TemplateError(f"{folder} names no eos_token: the model would never learn to stop")
    longest_first = sorted(tokenizer.all_special_tokens, key=len, reverse=True)
    control_tokens = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
    return ChatTemplate(tokenizer, stops, control_tokens)


def _stop_ids(tokenizer: Any, folder: Path) -> frozenset[int]:
    """Return every id that ends a turn: chat models name theirs here or there."""
    named_ids = [tokenizer.eos_token_id]
    generation = folder / "generation_config.json"
    if generation.is_file():
        named_ids.append(json.loads(generation.read_bytes()).get("eos_token_id"))
    flat = (i for n in named_ids for i in (n if isinstance(n, list) else [n]))
    return frozenset(i for i in flat if i is not None)
