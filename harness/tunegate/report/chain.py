"""The chain of digests from the data to the promotion, each link looked at as promotion does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .. import extensions, scorecard
from ..dataset import SPLITS
from ..models import open_model
from ..protocols import ModelUnknown
from ..registry import Entry
from ..sealed import SealBroken, digest_of
from .gather import Found
from .page import Link
from .standing import promotions

UNSEEN = "the snapshot is not kept any more (purged?): nothing can be held against the digest"
SCORED = "its file is whole; it is about this model"


def links(found: Found) -> Iterator[Link]:
    """Yield the links in the order in which one came of the other."""
    run, receipt = found.run, found.receipt
    if receipt is None:
        yield Link("receipt", "", False, f"{run.folder / 'receipt.json'} is missing")
    else:
        yield from _data(found, receipt)
        told = "sealed by this state tree; it is the one that the run's record names"
        yield _link("receipt", digest_of(receipt), told, run.verify_receipt)
    plan = run.plan
    of_id = "part of the run's id"
    yield _link("configuration", digest_of(dict(plan.config)), of_id, run.verify_plan)
    yield _link("base model", plan.base_digest, of_id, run.verify_plan)
    told = "the digest of training and validation data, configuration, base and seed"
    yield _link("run", run.id, told, run.verify_plan)
    yield _model(found)
    yield from (_card(found, path, card) for path, card in _judged(found).items())
    yield from _promotion(found)


def _link(name: str, digest: str, told: str, check: Callable[[], object]) -> Link:
    try:
        check()
    except SealBroken as error:
        return Link(name, digest, False, str(error))
    return Link(name, digest, True, told)


def _data(found: Found, receipt: dict[str, Any]) -> Iterator[Link]:
    for split in SPLITS:
        if split not in receipt["data"]:
            continue
        digest = str(receipt["data"][split]["digest"])
        if found.run.state.snapshot_path(digest).is_file():
            told = "the snapshot that was kept when the gate opened has this digest"
            yield _link(f"{split} data", digest, told, partial(found.run.verify_data, split))
        else:
            yield Link(f"{split} data", digest, None, UNSEEN)


def _model(found: Found) -> Link:
    """Open the model that was trained, and hold its digest against the sealed record."""
    digest, spec = str(found.record["digest"]), str(found.record["model"])
    try:
        _ = found.run.record
        added = extensions.load(Path(p) for p in found.run.intent["plugins"])
        now = open_model(spec, found.root, added.openers).digest
    except SealBroken as error:
        return Link("model", digest, False, str(error))
    except ModelUnknown as error:
        gone = spec.startswith("folder:")  # it lies here, or nowhere; others are asked elsewhere
        return Link("model", digest, False if gone else None, str(error))
    except Exception as error:  # a project's own plugin may raise anything
        return Link("model", digest, None, f"cannot be opened: {type(error).__name__}: {error}")
    if now != digest:
        return Link("model", digest, False, f"what {spec} names now has another digest: {now}")
    return Link("model", digest, True, "opened just now, it has the digest of the sealed record")


def _judged(found: Found) -> dict[Path, dict[str, Any]]:
    """Return the scorecard that is shown, and those of the promotions where they are others."""
    told = {str(entry.get("scorecard"))[:12] for entry in promotions(found)}
    return {p: c for p, c in found.cards.items() if p.stem in told or c is found.card}


def _card(found: Found, path: Path, card: dict[str, Any]) -> Link:
    digest = scorecard.digest(card)
    if digest[:12] != path.stem:
        return Link("scorecard", digest, False, f"{path} was changed since it was written")
    if not found.of(card["model_digest"]):
        told = f"it is about the model {card['model_digest']}, which is not this run's"
        return Link("scorecard", digest, False, told)
    return Link("scorecard", digest, True, SCORED)


def _promotion(found: Found) -> Iterator[Link]:
    if found.broken:
        yield Link("registry", "", False, found.broken)
    for entry in promotions(found):
        number = found.entries.index(entry)
        lines = (found.root / "registry.jsonl").read_bytes().splitlines()
        faults = list(_faults(found, entry))
        told = "the registry's chain is whole up to here; the line names receipt, model, scorecard"
        digest = hashlib.sha256(lines[number]).hexdigest()
        name = f"promotion, line {number + 1} of registry.jsonl"
        yield Link(name, digest, not faults, "; ".join(faults) or told)


def _faults(found: Found, entry: Entry) -> Iterator[str]:
    """Say what of the registry's line is not what is here."""
    receipt = found.receipt
    if receipt is not None and entry.get("receipt") != digest_of(receipt):
        yield "the line names another receipt"
    if not found.of(str(entry.get("model_digest"))):
        yield "the line names a model that is not this run's"
    if entry.get("scorecard") not in {scorecard.digest(card) for card in found.cards.values()}:
        yield "the scorecard that it names is not here"
