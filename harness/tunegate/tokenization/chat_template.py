"""Renders messages with a chat template to token ids, for counting, training and generation."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from ..data.canonical import Calls, content_text, read_reply, to_json
from ..utils.files import sha256_bytes
from ..utils.strict_json import parse_json_text
from .render_limits import MAX_MEMORY, RenderStopped, memory, uses_powers, watchdog

# Some templates, such as Llama 3.2's, write today's date. They get this date instead, in training
# and after it, so that a prompt does not change from day to day. Llama's have it as their default.
FIXED_DATE = date(2024, 7, 26)
_STRFTIME_NOW = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")
_THOUGHTS = re.compile(r"(?:<\|message\|>|\A(?!<\|))(.*?)(?=<\||\Z)", re.S)

# The variables by which templates let their user turn the reasoning off.
_THINKING_VARIABLE = re.compile(r"""(?<![.'"\w])(enable_thinking|thinking)(?= is | and | -?%})""")
_HEAD_END = "tunegate7c1ehead"

Message = Mapping[str, Any]
Messages = Sequence[Message]


class TemplateError(ValueError):
    """The chat template refused a conversation, or cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """How a chat template is used otherwise than the base has it.

    `text` is another template in its place, "" for the base's own; `args` are values of variables
    such as `enable_thinking`; `fold_system` puts the system message before the user's first text.
    """

    text: str = ""
    args: Mapping[str, Any] = field(default_factory=dict, hash=False)
    fold_system: bool = False


def pin_template(name: str, root: Path) -> str:
    """Return `FILE@1a2b3c4d5e6f` for a template; raises ValueError if changed or unreadable."""
    pinned = re.fullmatch(r"(.+)@([0-9a-f]{12})", name)
    name, expected = pinned.groups() if pinned else (name, "")
    try:
        digest = sha256_bytes((root / Path(name).expanduser()).read_bytes())[:12]
    except OSError as error:
        raise ValueError(f"chat_template = {name!r}: {error.strerror}: {error.filename}") from None
    if expected not in ("", digest):
        changed = "the file has changed since the run was planned"
        raise ValueError(f"chat_template = {name!r}: {changed}")
    return f"{name}@{digest}"


def template_options(settings: Mapping[str, Any], root: Path) -> TemplateOptions:
    """Return the options of settings: `chat_template` (a file), `template_args`, `system_role`."""
    text = ""
    if name := settings.get("chat_template"):
        file = pin_template(str(name), root).rpartition("@")[0]
        text = (root / Path(file).expanduser()).read_text("utf-8")
    is_folded = settings.get("system_role") == "fold"
    return TemplateOptions(text, settings.get("template_args") or {}, is_folded)


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer of `transformers` with its chat template, and the tokens that end a turn."""

    tokenizer: Any
    stop_ids: frozenset[int]
    control_tokens: re.Pattern[str]
    options: TemplateOptions = TemplateOptions()
    _heads: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def render(self, messages: Messages, *, prompt: bool = False, tools: Messages = ()) -> str:
        """Return a conversation as text; as a `prompt`, with the start of the assistant's turn.

        Templates expect the content as text, a few as parts. Most expect the arguments of a tool
        call as JSON values, and some (DeepSeek) as a text of JSON: that is tried where values fail.
        """
        texts = [{**m, "content": content_text(m)} for m in messages]
        texts = _with_folded_system(texts) if self.options.fold_system else texts
        try:
            if self.takes_parts:
                texts = [m | {"content": [{"type": "text", "text": m["content"]}]} for m in texts]
            try:
                return self._apply(texts, prompt, tools, lambda value: value)
            except TypeError:
                return self._apply(texts, prompt, tools, partial(json.dumps, ensure_ascii=False))
        except MemoryError:
            limit = f"{MAX_MEMORY >> 30} GB of memory"
            raise TemplateError(f"the chat template needs more than {limit}") from None
        except Exception as error:  # templates raise whatever their author had them raise
            hint = self._fold_hint(messages, prompt, tools)
            raise TemplateError(f"the chat template refuses it: {error}{hint}") from None

    def _apply(
        self, messages: Messages, prompt: bool, tools: Messages, form: Callable[[Any], Any]
    ) -> str:
        """Apply the template within limits of time and memory, its date a fixed one."""
        template = self.tokenizer.chat_template  # of several by name the tokenizer chooses: None
        dated = partial(_STRFTIME_NOW.sub, lambda m: repr(FIXED_DATE.strftime(m[2])))
        with memory.hold(), watchdog.watch():
            rendered: str = self.tokenizer.apply_chat_template(
                [_with_arguments(m, form) for m in messages], tools=[*tools] or None,
                tokenize=False, add_generation_prompt=prompt,
                chat_template=dated(template) if isinstance(template, str) else None,
                **self.options.args,
            )  # fmt: skip
        return rendered

    @cached_property
    def takes_parts(self) -> bool:
        """Whether content is a list of parts, as Idefics has it, and a text of it is not shown."""

        def shows(content: Any) -> bool:
            try:
                message = {"role": "user", "content": content}
                return _HEAD_END in self._apply([message], False, (), lambda value: value)
            except (RenderStopped, MemoryError):
                raise
            except Exception:  # whatever its author had it raise
                return False

        return not shows(_HEAD_END) and shows([{"type": "text", "text": _HEAD_END}])

    def _fold_hint(self, messages: Messages, prompt: bool, tools: Messages) -> str:
        """Return what to set where a conversation is refused for its system message alone."""
        if self.options.fold_system or not any(map(is_system, messages)):
            return ""
        folding = replace(self, options=replace(self.options, fold_system=True))
        try:
            folding.render(messages, prompt=prompt, tools=tools)
        except TemplateError:
            return ""
        return '; system_role = "fold" puts the system message before the first text of the user'

    def token_ids(self, text: str) -> list[int]:
        """Return the token ids of a rendered text; the template has written all special tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def head_ids(self, messages: Messages, tools: Messages = ()) -> list[int]:
        """Return the tokens before the first text of the user: the template's, the system's."""
        systems = [*takewhile(is_system, messages)]
        key = to_json([[content_text(message) for message in systems], tools])
        if key not in self._heads:
            try:
                text = self.render([*systems, {"role": "user", "content": _HEAD_END}], tools=tools)
            except TemplateError:
                text = ""
            self._heads[key] = self.token_ids(text.partition(_HEAD_END)[0])
        return self._heads[key]

    @cached_property
    def stop_texts(self) -> list[str]:
        """The texts of the tokens that end a turn."""
        decode = partial(self.tokenizer.decode, clean_up_tokenization_spaces=False)
        return sorted(decode([token]) for token in self.stop_ids)

    @cached_property
    def stop_pattern(self) -> re.Pattern[str]:
        """Matches the text of a token that ends a turn."""
        return re.compile("|".join(map(re.escape, sorted(self.stop_texts, key=len, reverse=True))))

    @property
    def thinking_variable(self) -> str:
        """The template's variable that turns reasoning off, "" where it has none."""
        match = _THINKING_VARIABLE.search(str(self.tokenizer.chat_template))
        return match[1] if match else ""

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


def _with_arguments(message: Message, form: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a message without its weight, the arguments of its tool calls in a form."""
    fields = {key: value for key, value in message.items() if key != "weight"}
    if fields.get("tool_calls"):
        fields["tool_calls"] = deepcopy(fields["tool_calls"])
        for function in (call["function"] for call in fields["tool_calls"]):
            function["arguments"] = form(parse_json_text(function.get("arguments")))
    return fields


def is_system(message: Mapping[str, Any]) -> bool:
    """Tell whether a message tells the model how to behave, rather than speaks with it."""
    return message["role"] in ("system", "developer")


def _with_folded_system(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages, their content a text, with those of the system before the first user's."""
    texts = [m["content"] for m in messages if is_system(m)]
    others = [m for m in messages if not is_system(m)]
    first = next((i for i, m in enumerate(others) if m["role"] == "user"), None)
    if not texts:
        return others
    if first is None:
        return [{"role": "user", "content": "\n\n".join(texts)}, *others]
    others[first] = {**others[first], "content": "\n\n".join([*texts, others[first]["content"]])}
    return others


def load_template(folder: Path | str, options: TemplateOptions | None = None) -> ChatTemplate:
    """Read the tokenizer and the chat template of a model, without any download.

    `folder` may be a hub name that the cache on this machine holds. Raises TemplateError where the
    tokenizer cannot be read or has no chat template, no file of the model names the token that ends
    a turn, or the template knows no such variable; ImportError where transformers is missing.
    """
    from transformers import AutoTokenizer

    options = options or TemplateOptions()
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
    tokenizer.chat_template = options.text or tokenizer.chat_template
    if not tokenizer.chat_template:
        missing = f"the tokenizer in {folder} has no chat template (chat_template.jinja)"
        raise TemplateError(f"{missing}: name one, chat_template = FILE")
    templates = tokenizer.chat_template
    texts = templates.values() if isinstance(templates, dict) else [templates]
    if any(uses_powers(text) for text in texts):
        raise TemplateError(f"the chat template in {folder} computes powers (**), which none needs")
    if unknown := sorted(options.args.keys() - set(re.findall(r"\w+", str(templates)))):
        raise TemplateError(f"template_args: the chat template in {folder} reads no {unknown[0]!r}")
    # A chat model names the ids that end a turn in its tokenizer, or in its generation settings.
    named_ids = [tokenizer.eos_token_id]
    generation = Path(folder, "generation_config.json")
    if generation.is_file():
        named_ids.append(json.loads(generation.read_bytes()).get("eos_token_id"))
    flat = (i for n in named_ids for i in (n if isinstance(n, list) else [n]))
    if not (stop_ids := frozenset(i for i in flat if i is not None)):
        raise TemplateError(f"{folder} names no eos_token: the model would never learn to stop")
    added = {t for t, i in tokenizer.get_added_vocab().items() if i in stop_ids}
    longest_first = sorted({*tokenizer.all_special_tokens, *added}, key=len, reverse=True)
    control_tokens = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
    return ChatTemplate(tokenizer, stop_ids, control_tokens, options)
