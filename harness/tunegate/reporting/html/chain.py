"""The chain of digests from the data to the promotion, each link looked at as promotion does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ...data.dataset import SPLITS
from ...interfaces import installed as extensions
from ...interfaces.model import ModelUnknown
from ...models.spec import open_model
from ...results import scorecard
from ...storage.registry import RegistryEntry
from ...storage.seal import SealBroken
from ...utils.hashing import sha256_bytes, sha256_json
from .gather import RunFiles
from .page import Link
from .verdict import counting_promotions

NO_SNAPSHOT = "the snapshot is not kept any more (purged?): nothing can be held against the digest"
SCORECARD_HOLDS = "its file is whole; it is about this model"


def chain_links(files: RunFiles) -> Iterator[Link]:
    """Yield the links in the order in which one came of the other."""
    run, receipt = files.run, files.receipt
    if receipt is None:
        yield Link("receipt", "", False, f"{run.folder / 'receipt.json'} is missing")
    else:
        yield from _data_links(files, receipt)
        explanation = "sealed by this state tree; it is the one that the run's record names"
        yield _checked_link("receipt", sha256_json(receipt), explanation, run.verify_receipt)
    plan = run.plan
    of_id = "part of the run's id"
    yield _checked_link("configuration", sha256_json(dict(plan.config)), of_id, run.verify_plan)
    yield _checked_link("base model", plan.base_digest, of_id, run.verify_plan)
    explanation = "the digest of training and validation data, configuration, base and seed"
    yield _checked_link("run", run.id, explanation, run.verify_plan)
    yield _model_link(files)
    yield from (
        _scorecard_link(files, path, card) for path, card in _shown_scorecards(files).items()
    )
    yield from _promotion_links(files)


def _checked_link(name: str, digest: str, explanation: str, check: Callable[[], object]) -> Link:
    try:
        check()
    except SealBroken as error:
        return Link(name, digest, False, str(error))
    return Link(name, digest, True, explanation)


def _data_links(files: RunFiles, receipt: dict[str, Any]) -> Iterator[Link]:
    for split in SPLITS:
        if split not in receipt["data"]:
            continue
        digest = str(receipt["data"][split]["digest"])
        if files.run.state.snapshot_path(digest).is_file():
            explanation = "the snapshot that was kept when the gate opened has this digest"
            yield _checked_link(
                f"{split} data", digest, explanation, partial(files.run.verify_data, split)
            )
        else:
            yield Link(f"{split} data", digest, None, NO_SNAPSHOT)


def _model_link(files: RunFiles) -> Link:
    """Open the model that was trained, and hold its digest against the sealed record."""
    digest, spec = str(files.record["digest"]), str(files.record["model"])
    try:
        _ = files.run.record
        installed = extensions.load_files(Path(p) for p in files.run.intent["plugins"])
        current = open_model(spec, files.root, installed.openers).digest
    except SealBroken as error:
        return Link("model", digest, False, str(error))
    except ModelUnknown as error:
        is_local = spec.startswith(
            "folder:"
        )  # it lies here, or nowhere; others are asked elsewhere
        return Link("model", digest, False if is_local else None, str(error))
    except Exception as error:  # a project's own plugin may raise anything
        return Link("model", digest, None, f"cannot be opened: {type(error).__name__}: {error}")
    if current != digest:
        return Link("model", digest, False, f"what {spec} names now has another digest: {current}")
    return Link("model", digest, True, "opened just now, it has the digest of the sealed record")


def _shown_scorecards(files: RunFiles) -> dict[Path, dict[str, Any]]:
    """Return the scorecard that is shown, and those of the promotions where they are others."""
    promoted_cards = {str(entry.get("scorecard"))[:12] for entry in counting_promotions(files)}
    return {p: c for p, c in files.cards.items() if p.stem in promoted_cards or c is files.card}


def _scorecard_link(files: RunFiles, path: Path, card: dict[str, Any]) -> Link:
    digest = scorecard.scorecard_digest(card)
    if digest[:12] != path.stem:
        return Link("scorecard", digest, False, f"{path} was changed since it was written")
    if not files.name_of_model(card["model_digest"]):
        explanation = f"it is about the model {card['model_digest']}, which is not this run's"
        return Link("scorecard", digest, False, explanation)
    return Link("scorecard", digest, True, SCORECARD_HOLDS)


def _promotion_links(files: RunFiles) -> Iterator[Link]:
    if files.registry_error:
        yield Link("registry", "", False, files.registry_error)
    for entry in counting_promotions(files):
        number = files.entries.index(entry)
        lines = (files.root / "registry.jsonl").read_bytes().splitlines()
        faults = list(_entry_faults(files, entry))
        explanation = (
            "the registry's chain is whole up to here; the line names receipt, model, scorecard"
        )
        digest = sha256_bytes(lines[number])
        name = f"promotion, line {number + 1} of registry.jsonl"
        yield Link(name, digest, not faults, "; ".join(faults) or explanation)


def _entry_faults(files: RunFiles, entry: RegistryEntry) -> Iterator[str]:
    """Say what of the registry's line is not what is here."""
    receipt = files.receipt
    if receipt is not None and entry.get("receipt") != sha256_json(receipt):
        yield "the line names another receipt"
    if not files.name_of_model(str(entry.get("model_digest"))):
        yield "the line names a model that is not this run's"
    if entry.get("scorecard") not in {
        scorecard.scorecard_digest(card) for card in files.cards.values()
    }:
        yield "the scorecard that it names is not here"
