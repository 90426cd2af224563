"""Finds out what tokens are counted with: the tokenizer and limits of the model to be trained.

A trainer answers with `Trainer.tokenization`, others by their settings `base`, `max_length`,
`epochs`, `on_overflow`, `price_per_million`. The configuration's table `[tokens]` overrides both.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.canonical import content_text
from ..data.dataset import Example
from .chat_template import TemplateOptions, template_options
from .encode import is_trained_on

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..interfaces.trainer import Trainer

    Trainers = Mapping[str, type[Trainer]]  # by name


@dataclass(frozen=True, slots=True)
class TokenizationSpec:
    """What tokens are counted with, and the limits of a row.

    `tokenizer` is a folder (a trainer's may be relative to the project's root) or a hub name with a
    chat template, or `openai:MODEL`; "" if unknown, and `missing` says why. `max_length` is None
    where only the model limits the tokens of a row; a longer row is treated as `on_overflow` says,
    "raise", "drop" or "truncate". `price_per_million` is in USD for a million training tokens, None
    if unknown. `rejected` says whether rejected replies are trained on too, `template` how the chat
    template is used, by the trainer's settings.
    """

    tokenizer: str
    max_length: int | None = None
    epochs: int = 3
    on_overflow: str = "raise"
    price_per_million: float | None = None
    missing: str = ""
    rejected: bool = False
    template: TemplateOptions = field(default_factory=TemplateOptions)


def tokenization_of(
    config: "Config", root: Path, trainers: "Trainers", trainer_name: str | None = None
) -> TokenizationSpec:
    """Return the tokenization of the named trainer, or of the first configured that has one."""
    counting = (name for name, trainer in trainers.items() if hasattr(trainer, "tokenization"))
    tables = ", ".join(f"[train.{name}]" for name in sorted(counting, reverse=True))
    missing = f"no {f'{tables} or ' if tables else ''}[tokens] in the configuration"
    spec = TokenizationSpec("", missing=missing)
    for name in [trainer_name] if trainer_name else config.train:
        spec = _tokenization_of_trainer(name, config.train.get(name, {}), root, trainers)
        if spec.tokenizer:
            break
    overrides = {key: value for key, value in config.tokens if value is not None}
    if "tokenizer" in overrides:
        overrides |= {"tokenizer": _resolve_base(overrides["tokenizer"], root), "missing": ""}
    return replace(spec, **overrides)


def _tokenization_of_trainer(
    name: str, table: Mapping[str, Any], root: Path, trainers: "Trainers"
) -> TokenizationSpec:
    trainer = trainers[name]() if name in trainers else None
    try:
        settings = {**table, **(trainer.resolve(table, root) if trainer else {})}
    except ValueError as error:
        return TokenizationSpec("", missing=f"train.{name}: {error}")
    # A trainer need not have `tokenization`, and tokens are counted even if it is not installed.
    spec: TokenizationSpec = getattr(trainer, "tokenization", tokenization_from_settings)(settings)
    if not spec.tokenizer:
        return replace(spec, missing=f"train.{name} {spec.missing}")
    tokenizer = _resolve_base(spec.tokenizer, root)
    return replace(spec, tokenizer=tokenizer, template=template_options(settings, root))


def tokenization_from_settings(settings: Mapping[str, Any]) -> TokenizationSpec:
    """Return the tokenization that follows from the settings that most trainers have."""
    base, max_length = str(settings.get("base", "")), settings.get("max_length")
    if not base or not isinstance(max_length, int):
        return TokenizationSpec("", missing="names no base and max_length; [tokens] may")
    epochs = settings.get("epochs")
    epochs = epochs if isinstance(epochs, int) else 3
    overflow, price = settings.get("on_overflow", "raise"), settings.get("price_per_million")
    return TokenizationSpec(base, max_length, epochs, overflow, price, rejected=on_pairs(settings))


def on_pairs(settings: Mapping[str, Any]) -> bool:
    """Tell from a trainer's settings whether it trains on preferred and rejected replies (DPO)."""
    return "dpo" in (settings.get("method"), settings.get("objective"))


def _resolve_base(base: str, root: Path) -> str:
    """Return a folder of the project as a path; return a hub name or `openai:MODEL` unchanged."""
    folder = root / Path(base).expanduser()
    return str(folder) if folder.is_dir() else base


# Tokens around each message and the last reply: OpenAI's "How to count tokens with tiktoken".
PER_MESSAGE, PER_NAME, PER_REPLY = 3, 1, 3
ENCODINGS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"  # tiktoken's own


@dataclass(frozen=True, slots=True)
class TokenCount:
    """The tokens of a row: all, those trained on, and where the last trained message begins."""

    length: int
    trained: int
    answer_start: int


class OpenAITokenCounter:
    """Counts by tiktoken's encoding of a model, or four characters as a token.

    `estimate` says why it only estimates, "" if it is exact. Only tiktoken's cache is read.
    """

    max_tokens = 2**31

    def __init__(self, model: str) -> None:
        self.count_tokens, self.estimate = _token_counter(model)

    def __call__(self, example: Example) -> TokenCount:
        """Count a row: its messages, its tools, and the tokens that each message adds."""
        tools = example.fields.get("tools")
        length = self.count_tokens(json.dumps(tools, ensure_ascii=False)) if tools else 0
        trained = answer_start = 0
        for message in example.messages:
            calls = message.get("tool_calls") or message.get("function_call")
            name = str(message.get("name") or "")
            texts = [str(message["role"]), content_text(message), name]
            texts += [json.dumps(calls, ensure_ascii=False)] if calls else []
            size = PER_MESSAGE + PER_NAME * bool(name) + sum(map(self.count_tokens, texts))
            if is_trained_on(message):
                trained, answer_start = trained + size - PER_MESSAGE, length + PER_MESSAGE
            length += size
        return TokenCount(length + PER_REPLY, trained, answer_start)


def _token_counter(model: str) -> tuple[Callable[[str], int], str]:
    """Return a function that counts a text's tokens, and why it estimates them ("" if not)."""
    kind, _, rest = model.partition(":")
    base = rest.partition(":")[0] if kind == "ft" else model  # ft:BASE:organisation:...
    try:
        import tiktoken

        encoding = cached_encoding(tiktoken.encoding_name_for_model(base))
        return lambda text: len(encoding.encode_ordinary(text)), ""
    except ImportError:
        reason = "tiktoken is not installed"
    except KeyError:
        reason = f"tiktoken knows no encoding of {model!r}"
    except OSError as error:
        reason = str(error)
    rule = "4 characters count as a token, OpenAI's rule of thumb for English"
    return lambda text: -(-len(text) // 4), f"{reason}; {rule}; other languages need more"


def cached_encoding(name: str) -> Any:
    """Return an encoding of tiktoken's cache, whose inside is assumed here alone; or OSError."""
    import tiktoken
    from tiktoken import load

    default = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", default))
    if not Path(folder, hashlib.sha1(ENCODINGS.format(name).encode()).hexdigest()).is_file():
        raise OSError(f"tiktoken's {name} is not in its cache ({folder})")

    def refuse_download(address: str) -> bytes:
        raise OSError(f"tiktoken's {name} in its cache ({folder}) is damaged")

    read_file = load.read_file
    load.read_file = refuse_download  # type: ignore[assignment]
    try:
        return tiktoken.get_encoding(name)
    finally:
        load.read_file = read_file
