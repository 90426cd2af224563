"""What would make a training fail, found before anything is spent; one line each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tunegate.dataset import Dataset
from tunegate.encode import Row, Unfit, encode_all
from tunegate.protocols import Plan, Problem
from tunegate.template import Template, Unrendered

from . import base, fit, rendering, shape, template
from .config import Settings, settle

SHOWN = 3  # rows named for one kind of trouble: the rest is a count


def problems(plan: Plan) -> list[Problem]:
    """Return what is wrong with a plan; empty where it can be trained."""
    try:
        settings = settle(Settings, plan.config)
        folder = base.locate(settings.base, *plan.train.absolute().parents, Path.cwd())
        chat = template.load(folder)
        found = [*_data(plan, settings, chat, folder), *_model(plan, settings, folder)]
        found += rendering.fickle(chat)
    except (Unrendered, ValueError, OSError) as error:
        found = [str(error)]
    return [Problem(what) for what in found]


def _data(plan: Plan, settings: Settings, chat: Template, folder: Path) -> Iterator[str]:
    for split, path in (("train", plan.train), ("validation", plan.validation)):
        if path is not None:
            rows, unfit = encode_all(Dataset.read(path, columns=plan.columns), chat)
            yield from (f"{split}: {told}" for told in _rows(rows, unfit, settings, folder))


def _rows(
    rows: Sequence[Row], unfit: Sequence[Unfit], settings: Settings, folder: Path
) -> Iterator[str]:
    yield from map(str, unfit[:SHOWN])
    if len(unfit) > SHOWN:
        yield f"{len(unfit) - SHOWN:,} more rows cannot be trained on"
    if not rows and not unfit:
        yield "no rows"
    try:
        kept = fit.fit(rows, fit.limit(settings, folder), settings.on_overflow)
        if rows and not kept:
            yield f"`on_overflow` drops all {len(rows):,} rows: raise `max_length`"
    except Unfit as error:
        yield str(error)


def _model(plan: Plan, settings: Settings, folder: Path) -> Iterator[str]:
    outline = shape.outline(folder)
    if settings.quantisation == "nf4":
        yield from outline.odd()
    yield from outline.unknown(settings.targets)
    need = outline.disk(settings)
    free = shutil.disk_usage(plan.train.parent).free
    if need > free:
        yield f"checkpoints need {need / 1e6:,.1f} MB, the disk has {free / 1e6:,.1f} MB free"
    yield from outline.memory(settings)
