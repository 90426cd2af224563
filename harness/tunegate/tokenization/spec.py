"""Finds out what tokens are counted with: the tokenizer and limits of the model to be trained.

A trainer answers with `Trainer.tokenization`. For other trainers their settings answer: `base`,
`max_length`, `epochs`, `on_overflow`, `price_per_million`. The table `[tokens]` of the
configuration overrides both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chat_template import TemplateOptions, template_options

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
    config: Config, root: Path, trainers: Trainers, trainer_name: str | None = None
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
    name: str, table: Mapping[str, Any], root: Path, trainers: Trainers
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
