"""The recipe: what is going to be trained, as far as counting tokens goes.

The trainer says it (`Trainer.tokenization`); of one that does not, its settings do: `base`,
`max_length`, `epochs`, `on_overflow`, `price_per_million`. What `[tokens]` says goes before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..interfaces.trainer import Trainer


@dataclass(frozen=True, slots=True)
class TokenizationSpec:
    """What tokens are counted with, and what for.

    `tokenizer` is a folder or a hub name, with a chat template, or the name of a counter
    (`openai:MODEL`), a trainer's folder from the project's root; "" where nobody says, and
    `missing` says why. A row may have `max_length` tokens; `on_overflow` is what the
    trainer does with a longer one ("raise", "drop", "truncate"). `price_per_million` is in USD,
    for training tokens. `rejected` says that rejected replies are trained on too.
    """

    tokenizer: str
    max_length: int | None = None
    epochs: int = 3
    on_overflow: str = "raise"
    price_per_million: float | None = None
    missing: str = ""
    rejected: bool = False


def tokenization_of(
    config: Config,
    root: Path,
    trainers: Mapping[str, type[Trainer]],
    trainer_name: str | None = None,
) -> TokenizationSpec:
    """Return the recipe of the trainer that was chosen, else of the first that is configured."""
    spec = TokenizationSpec("", missing=_nobody(trainers))
    for name in [trainer_name] if trainer_name else config.train:
        spec = _tokenization_of_trainer(name, config.train.get(name, {}), root, trainers)
        if spec.tokenizer:
            break
    overrides = {key: value for key, value in config.tokens if value is not None}
    if "tokenizer" in overrides:
        overrides |= {"tokenizer": _resolve_base(overrides["tokenizer"], root), "missing": ""}
    return replace(spec, **overrides)


def _nobody(trainers: Mapping[str, type[Trainer]]) -> str:
    """Name what would have said it: the tables of trainers that say how they count."""
    counting = (name for name, trainer in trainers.items() if hasattr(trainer, "tokenization"))
    tables = ", ".join(f"[train.{name}]" for name in sorted(counting, reverse=True))
    return f"no {f'{tables} or ' if tables else ''}[tokens] in the configuration"


def _tokenization_of_trainer(
    name: str, table: Mapping[str, Any], root: Path, trainers: Mapping[str, type[Trainer]]
) -> TokenizationSpec:
    trainer = trainers[name]() if name in trainers else None
    try:
        settings = {**table, **(trainer.resolve(table, root) if trainer else {})}
    except ValueError as error:
        return TokenizationSpec("", missing=f"train.{name}: {error}")
    # A trainer need not have `tokenization`, and need not be installed for `tunegate` to count.
    found: TokenizationSpec = getattr(trainer, "tokenization", usual)(settings)
    if not found.tokenizer:
        return replace(found, missing=f"train.{name} {found.missing}")
    return replace(found, tokenizer=_resolve_base(found.tokenizer, root))


def usual(settings: Mapping[str, Any]) -> TokenizationSpec:
    """Return the recipe of a trainer that says none, by the settings that trainers often have."""
    base, longest = str(settings.get("base", "")), settings.get("max_length")
    if not base or not isinstance(longest, int):
        return TokenizationSpec("", missing="names no base and max_length; [tokens] may")
    epochs = settings.get("epochs")
    epochs = epochs if isinstance(epochs, int) else 3
    overflow, price = settings.get("on_overflow", "raise"), settings.get("price_per_million")
    return TokenizationSpec(base, longest, epochs, overflow, price, rejected=on_pairs(settings))


def on_pairs(settings: Mapping[str, Any]) -> bool:
    """Tell from a trainer's settings whether it learns from pairs: preferred and rejected replies.

    DPO's loss reads the prompt with each of the two.
    """
    return "dpo" in (settings.get("method"), settings.get("objective"))


def _resolve_base(base: str, root: Path) -> str:
    """Return a folder of the project as a path; a hub name, or openai:MODEL, as it stands."""
    folder = root / Path(base).expanduser()
    return str(folder) if folder.is_dir() else base
