"""What a training reads: the snapshots that passed, as rows of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.dataset import Dataset
from tunegate.encode import Unfit
from tunegate.protocols import Plan
from tunegate.template import Template

from . import pairs, template
from .config import Settings
from .fit import fit, limit
from .pairs import Item


@dataclass(frozen=True, slots=True)
class Material:
    """The rows that are trained on and those that are held out, and how many were set aside.

    They are pairs for `dpo`.
    """

    template: Template
    train: Sequence[Item]
    validation: Sequence[Item]
    dropped: int

    @property
    def tokens(self) -> int:
        """Tokens in the training rows, prompts included; with both sides of a pair."""
        return sum(len(row.ids) for row in pairs.rows(self.train))


def read(plan: Plan, settings: Settings, root: Path) -> Material:
    """Encode the plan's snapshots; raise Unfit or Unrendered where they cannot be trained on."""
    chat = template.load(root)
    longest = limit(settings, root)
    train = _encoded(plan.train, plan, settings, chat)
    validation = _encoded(plan.validation, plan, settings, chat) if plan.validation else []
    kept = fit(train, longest, settings.on_overflow)
    if not kept:
        raise Unfit(f"no row of the training set is left: {len(train):,} of them are too long")
    held_out = fit(validation, longest, settings.on_overflow)
    dropped = len(train) + len(validation) - len(kept) - len(held_out)
    return Material(chat, kept, held_out, dropped)


def _encoded(path: Path, plan: Plan, settings: Settings, chat: Template) -> list[Item]:
    encode = pairs.encoder(settings)
    return [encode(example, chat) for example in Dataset.read(path, columns=plan.columns)]
