"""Verifies the chain of digests from the data to the promotion by the rules of the promotion."""

from collections.abc import Callable, Iterator
from functools import partial

from ...data import SPLITS
from ...gates.promotion import entry_faults
from ...interfaces.installed import load_files
from ...interfaces.model import ModelUnknown
from ...models.evaluation import Evaluation
from ...models.spec import open_model
from ...results.scorecard import scorecard_digest
from ...storage.registry import RegistryEntry
from ...storage.state_dir import SealBroken
from ...utils.hashing import sha256_json
from .gather import RunFiles
from .verdict import Link, promotions_of

NO_SNAPSHOT = "the snapshot is not kept any more (purged?): nothing can be held against the digest"
SCORECARD_HOLDS = "its file is whole; it is about this model"


def chain_links(files: RunFiles) -> Iterator[Link]:
    """Yield the links, each after those that it was made from; of an evaluation, the last ones."""
    if not isinstance(files.run, Evaluation):
        yield from _training_links(files)
    current, former = promotions_of(files)
    promotions = [*current.values()] or [*former.values()][-1:]  # those in force, or the last
    promoted_cards = {str(entry.get("scorecard"))[:12] for entry in promotions}
    for path, card in files.cards.items():
        if card is not files.card and path.stem not in promoted_cards:
            continue
        digest, fault = scorecard_digest(card), ""
        if digest[:12] != path.stem:
            fault = f"{path} was changed since it was written"
        elif not files.name_of_model(card["model_digest"]):
            fault = f"it is about the model {card['model_digest']}, which is not this run's"
        yield Link("scorecard", digest, not fault, fault or SCORECARD_HOLDS)
    if files.registry_error:
        yield Link("registry", "", False, files.registry_error)
    for entry in promotions:
        yield promotion_link(files, entry)


def _training_links(files: RunFiles) -> Iterator[Link]:
    run, receipt, plan = files.run, files.receipt, files.run.plan
    if receipt is None:
        yield Link("receipt", "", False, f"{run.folder / 'receipt.json'} is missing")
    else:
        for split in (s for s in SPLITS if s in receipt["data"]):
            name, digest = f"{split} data", str(receipt["data"][split]["digest"])
            if not run.state.snapshot_path(digest).is_file():
                yield Link(name, digest, None, NO_SNAPSHOT)
                continue
            explanation = "the snapshot that was kept when the gate opened has this digest"
            yield _checked_link(name, digest, explanation, partial(run.verify_data, split))
        explanation = "sealed by this state tree; it is the one that the run's record names"
        yield _checked_link("receipt", sha256_json(receipt), explanation, run.verify_receipt)
    of_id = "part of the run's id"
    yield _checked_link("configuration", sha256_json(dict(plan.config)), of_id, run.verify_plan)
    yield _checked_link("base model", plan.base_digest, of_id, run.verify_plan)
    explanation = "the digest of training and validation data, configuration, base and seed"
    yield _checked_link("run", run.id, explanation, run.verify_plan)
    yield model_link(files)


def _checked_link(name: str, digest: str, explanation: str, check: Callable[[], object]) -> Link:
    try:
        check()
    except SealBroken as error:
        return Link(name, digest, False, str(error))
    return Link(name, digest, True, explanation)


def model_link(files: RunFiles) -> Link:
    """Open the model that was trained and compare its digest with that of the sealed record."""
    digest, spec = str(files.record["digest"]), str(files.record["model"])
    try:
        _ = files.run.record  # raises SealBroken
        installed = load_files(files.run.plugins)
        current = open_model(spec, files.root, installed.openers).digest
    except SealBroken as error:
        return Link("model", digest, False, str(error))
    except ModelUnknown as error:
        # A missing folder is lost; the model of a provider may exist and be out of reach from here.
        holds = False if spec.startswith("folder:") else None
        return Link("model", digest, holds, str(error))
    except Exception as error:  # a project's own plugin may raise anything
        return Link("model", digest, None, f"cannot be opened: {type(error).__name__}: {error}")
    if current != digest:
        return Link("model", digest, False, f"what {spec} names now has another digest: {current}")
    return Link("model", digest, True, "opened just now, it has the digest of the sealed record")


def promotion_link(files: RunFiles, entry: RegistryEntry) -> Link:
    """Compare a line of the registry with the receipt, the models and the scorecards of the run."""
    faults = [*entry_faults(entry, files.run, files.run.state)]
    number = files.entries.index(entry)
    holds = "the registry's chain is whole up to here; the line names receipt, model, scorecard"
    name = f"promotion, line {number + 1} of registry.jsonl"
    return Link(name, entry.digest, not faults, "; ".join(faults) or holds)
