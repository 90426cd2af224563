"""The recipe: what is going to be trained, as far as counting tokens goes.

It is that of the trainer: `base`, `max_length`, `epochs` and `on_overflow` of `[train.qlora]`, or
`base`, `epochs` and `price_per_million` of `[train.openai]`. What `[tokens]` says goes before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Config
    from .protocols import Trainer

# The longest example, in tokens, that OpenAI trains on: gpt-4o, gpt-4o-mini and gpt-4.1, by the
# "Token limits" of its fine-tuning guide.
OPENAI_LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Recipe:
    """What tokens are counted with, and what for.

    `tokenizer` is a folder or a hub name, with a chat template, or `openai:MODEL`; "" where nobody
    says, and `missing` says why. A row may have `max_length` tokens; `on_overflow` is what the
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


def of_project(
    config: Config, root: Path, trainers: Mapping[str, type[Trainer]], chosen: str | None = None
) -> Recipe:
    """Return the recipe of the trainer that was chosen, else of the first that is configured."""
    found = Recipe("", missing="no [train.qlora], [train.openai] or [tokens] in the configuration")
    for name in [chosen] if chosen else config.train:
        found = _of_trainer(name, config.train.get(name, {}), root, trainers)
        if found.tokenizer:
            break
    said = {key: value for key, value in config.tokens if value is not None}
    if "tokenizer" in said:
        said |= {"tokenizer": _place(said["tokenizer"], root), "missing": ""}
    return replace(found, **said)


def _of_trainer(
    name: str, table: Mapping[str, Any], root: Path, trainers: Mapping[str, type[Trainer]]
) -> Recipe:
    try:
        settings = {**table, **(trainers[name]().resolve(table, root) if name in trainers else {})}
    except ValueError as error:
        return Recipe("", missing=f"train.{name}: {error}")
    base = str(settings.get("base", ""))
    longest = OPENAI_LONGEST if name == "openai" else settings.get("max_length")
    if not base or not isinstance(longest, int):
        return Recipe("", missing=f"train.{name} names no base and max_length; [tokens] may")
    spec = f"openai:{base.removeprefix('openai:')}" if name == "openai" else _place(base, root)
    epochs = settings.get("epochs")
    epochs = epochs if isinstance(epochs, int) else 3  # OpenAI's may be "auto", most often 3
    overflow, price = settings.get("on_overflow", "raise"), settings.get("price_per_million")
    # DPO's loss reads the prompt with each of the two replies.
    both = "dpo" in (settings.get("method"), settings.get("objective"))
    return Recipe(spec, longest, epochs, overflow, price, rejected=both)


def _place(base: str, root: Path) -> str:
    """Return a folder of the project as a path; a hub name, or openai:MODEL, as it stands."""
    folder = root / Path(base).expanduser()
    return str(folder) if folder.is_dir() else base
