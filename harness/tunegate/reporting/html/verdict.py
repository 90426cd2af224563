"""Says on top of a report whether the run is promoted or why not, and verifies its digests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

from ...data import SPLITS
from ...gates import promotion
from ...interfaces.installed import load_files
from ...interfaces.model import ModelUnknown
from ...models.evaluation import Evaluation, Json
from ...models.spec import open_model
from ...results.session_results import scorecard_digest
from ...storage.registry import RegistryEntry, promotions_in_force
from ...storage.state_dir import SealBroken
from ...utils.files import sha256_json
from ...utils.text import counted
from ..terminal import score_cells
from . import text
from .gather import RunFiles

NO_SNAPSHOT = "the snapshot is not kept any more (purged?): nothing can be held against the digest"
SCORECARD_HOLDS = "its file is whole; it is about this model"


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain of digests; `holds` is None where it cannot be verified here."""

    name: str
    digest: str
    holds: bool | None
    explanation: str


def verdict_section(files: RunFiles, chain: Sequence[Link]) -> SimpleNamespace:
    """Return headline, sentences, warnings and facts about a run and its chain of digests."""
    (current, former), card = promotions_of(files), files.card
    tone, is_closed = "good" if current else "plain", bool(card and card["gate"] != "open")
    if current:
        headline = f"Promoted: {', '.join(current)}"
    elif card is None:
        headline = "Never judged"
    elif is_closed:
        headline = "Not promoted: the gate is closed"
    else:
        headline = "Not promoted any more" if former else "Not promoted"
    broken = [link.name for link in chain if link.holds is False]
    warnings = []
    if files.registry_error or broken or is_closed:
        tone = "bad"
    if broken:
        noun = "s of the chain do" if len(broken) > 1 else " of the chain does"
        warnings.append(f"{len(broken)} link{noun} not verify: {', '.join(broken)}.")
    if current and card and is_closed:
        closed = "A later session of the model suite closed the gate"
        warnings.append(text.with_full_stop(f"{closed}: {closing_reasons(card)}"))
    if attestation := str(files.record["figures"].get("word") or ""):
        warnings.append(text.with_full_stop(attestation[:1].upper() + attestation[1:]))
    before, now = ((of or {}).get("limits", {}) for of in (files.receipt, card))
    if lowered := promotion.lowered_limits(before, now):
        warnings.append(f"Limits lowered since the data gate: {promotion.lowered_text(lowered)}.")
    anew = {alias: entry for alias, entry in current.items() if "test_receipt" in entry}
    warnings += (f"{a} was promoted {promotion.note_on_test_set(e)}." for a, e in anew.items())
    sentences = [*promotion_sentences(files), *([] if current else [why_not_promoted(files)])]
    return SimpleNamespace(
        tone=tone, headline=headline, sentences=tuple(sentences), warnings=tuple(warnings),
        facts=tuple(key_facts(files, chain)),
    )  # fmt: skip


def promotion_sentences(files: RunFiles) -> Iterator[str]:
    """Yield a sentence for each alias that points at the run, or once did."""
    current, former = promotions_of(files)
    for alias, entry in current.items():
        lines = [line for line in files.entries if line["alias"] == alias]
        last = [line for line in lines if line.get("run") == entry.get("run")][-1]
        why = f": “{last['why']}”" if last.get("why") else "; no reason was given"
        signed = f"{text.time_text(last['when'])}, by {last['who']}{why}"
        if last["action"] in ("rollback", "keep"):
            promoted = f"was promoted to this run {text.time_text(entry['when'])}"
            yield f"{alias} {promoted}, and came back to it {signed}."
        else:
            yield f"{alias} has stood on this run since {signed}."
    for alias, entry in former.items():
        in_force = promotions_in_force(files.entries, alias)
        now = f"run {in_force[-1]['run']}" if in_force else "none"
        since = f"{alias} stood on this run from {text.time_text(entry['when'])}"
        yield f"{since}; now it stands on {now}."


def why_not_promoted(files: RunFiles) -> str:
    """Return one sentence that says why the run is not promoted."""
    card, spec = files.card, files.run.spec
    if files.registry_error:
        return "Whether it was promoted nobody can say: the registry is broken."
    if card is None:
        return f"No model suite has judged it: pytest suites/model --model {spec}."
    if card["gate"] != "open":
        return text.with_full_stop(f"The model suite closed the gate: {closing_reasons(card)}")
    if isinstance(files.run, Evaluation):
        return "The gate is open; a model without a run is never promoted."
    if promotions_of(files)[1]:
        return "The gate is open: it could be promoted again."
    return "The gate is open, and nobody has promoted it."


def closing_reasons(card: Json) -> str:
    """Return the first three scores that missed their limits, or else the gate's own reason."""
    reasons = []
    for outcome in card.get("missed", []):
        if outcome["held"] or "value" not in outcome:
            continue
        if outcome["value"] is None:  # NaN or infinite: only its line says which
            reasons.append(f"{outcome['line']} did not hold")
        else:
            name, value, _, limit, _ = score_cells(outcome)
            reasons.append(f"{name} is {value}, the limit {limit}")
    more = [f"{len(reasons) - 3} more"] if len(reasons) > 3 else []
    return "; ".join([*reasons[:3], *more]) or str(card["gate"])


def key_facts(files: RunFiles, chain: Sequence[Link]) -> Iterator[tuple[str, str]]:
    """Yield name and text of the gates, the right answers, the chain and the training."""
    card = files.card
    tests = counted(len(files.receipt["tests"]), "test") if files.receipt else ""
    yield "data gate", f"open: {tests} passed" if files.receipt else "no receipt"
    if card is None:
        yield "model gate", "never judged"
    else:
        passed = f"open: {counted(len(card['inventory']), 'test')} passed"
        yield "model gate", passed if card["gate"] == "open" else "closed"
    if card and (counts := card["predictions"]):
        baseline, beside = card["baseline"], ""
        if baseline and baseline["n"]:
            beside = f" (baseline {baseline['right'] / baseline['n']:.1%})"
        yield "right answers", f"{counts['right']:,} of {counts['n']:,}{beside}"
    verified = sum(link.holds is True for link in chain)
    unverifiable = sum(link.holds is None for link in chain)
    more = f", {unverifiable} cannot be looked at" if unverifiable else ""
    yield "chain of digests", f"{verified} of {len(chain)} links verify{more}"
    if not isinstance(files.run, Evaluation):
        plan = files.run.plan
        base = text.public_name(str(plan.config.get("base", plan.base)), files.root)
        yield "trained", f"{text.training_method(plan)}, on {base}"


def promotions_of(files: RunFiles) -> tuple[dict[str, RegistryEntry], dict[str, RegistryEntry]]:
    """Return this run's aliases, sorted, and former ones in order, with their last promotion."""
    current, former = dict[str, RegistryEntry](), dict[str, RegistryEntry]()
    for alias in sorted({entry["alias"] for entry in files.entries}):
        in_force = promotions_in_force(files.entries, alias)
        if in_force and in_force[-1].get("run") == files.run.id:
            current[alias] = in_force[-1]
    for entry in files.entries:
        is_promotion = entry["action"] not in ("rollback", "keep")
        if entry.get("run") == files.run.id and is_promotion and entry["alias"] not in current:
            former.pop(entry["alias"], None)
            former[entry["alias"]] = entry
    return current, former


# The chain of digests, from the data to the promotion.


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
        current = open_model(spec, files.root, load_files(files.run.plugins).openers).digest
    except SealBroken as error:
        return Link("model", digest, False, str(error))
    except ModelUnknown as error:
        # A missing folder is lost; the model of a provider may exist and be out of reach from here.
        return Link("model", digest, False if spec.startswith("folder:") else None, str(error))
    except Exception as error:  # a project's own plugin may raise anything
        return Link("model", digest, None, f"cannot be opened: {type(error).__name__}: {error}")
    if current != digest:
        return Link("model", digest, False, f"what {spec} names now has another digest: {current}")
    return Link("model", digest, True, "opened just now, it has the digest of the sealed record")


def promotion_link(files: RunFiles, entry: RegistryEntry) -> Link:
    """Compare a line of the registry with the receipt, the models and the scorecards of the run."""
    faults = [*promotion.entry_faults(entry, files.run, files.run.state)]
    holds = "the registry's chain is whole up to here; the line names receipt, model, scorecard"
    name = f"promotion, line {files.entries.index(entry) + 1} of registry.jsonl"
    return Link(name, entry.digest, not faults, "; ".join(faults) or holds)
