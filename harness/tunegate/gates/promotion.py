"""Checks the chain from data to scores before an alias moves, and names limits that are weaker."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..data.comparison import question_key, rows_in_training
from ..data.dataset import Dataset
from ..models.evaluation import recall_baseline
from ..models.spec import Candidate
from ..results.session_results import scorecard_digest
from ..storage.registry import CHAIN_KEYS, MODEL_KEYS, History, RegistryEntry
from ..storage.state_dir import Run, SealBroken, StateDir
from ..utils.files import sha256_json

# A value must be at least these; at most the numbers that are not listed here.
AT_LEAST = {
    *("fewest_examples", "smallest_test", "validation_low", "reviewed", "rarest_class", "distinct"),
    *("accuracy", "macro_f1", "improvement", "judge", "judge_wins", "worst_slice", "chrf"),
    *("rouge_l", "valid_json", "parses", "majority", "pass_at_k", "pass_hat_k", "difference"),
    *("tool_calls", "contract"),
}
AT_MOST = {
    *("largest_mb", "validation_high", "psi", "drift_auc", "review_errors", "similarity"),
    *("near_duplicates", "opening", "margin", "latency_p50", "latency_p95", "tokens"),
    *("cost_per_1000", "latency_ratio", "tokens_ratio", "cost_ratio", "flips", "overfitting"),
    *("cut_off", "refusals", "forgetting", "surrogates"),
}


class PromotionRefused(Exception):
    """The chain from data to scores has a gap; the message says which."""


def check_promotable(candidate: Candidate, digest: str, test: Dataset, state: StateDir) -> Run:
    """Return the run of a candidate that may be promoted; raises PromotionRefused for another.

    A run with a sealed receipt made it, what was scored is what was trained, the baseline has the
    same test set, none of it stands in training or validation, and a data gate of the run saw it.
    """
    if candidate.run is None:
        lacking = "belongs to no run with a receipt"
        raise PromotionRefused(f"{candidate.spec} {lacking}: it may be scored, never promoted")
    run = candidate.run
    try:
        run.verify()
        if candidate.digest != digest:
            changed = "is not the one that was trained: it was changed"
            raise PromotionRefused(f"the model of run {run.id} {changed}")
        is_old = "verdict" not in run.receipt  # then its baseline may be older than their seals
        if recall_baseline(state, candidate.base, test.identity, sealed=not is_old) is None:
            lacking = f"the baseline {candidate.base} was never measured on this test set"
            raise PromotionRefused(f"{lacking}: nobody could say what the training was good for")
        for split in ("train", "validation") if run.plan.validation else ("train",):
            rows = run.data(split)
            found = rows_in_training(test, rows).items()
            matches = [f"{test[i].line} ({split} line {rows[js[0]].line})" for i, js in found]
            if matches:
                lines = ", ".join(matches[:3]) + " ..." * (len(matches) > 3)
                known = f"{len(matches)} test examples stand in what the model was trained on"
                raise PromotionRefused(f"{known}: test line {lines}")
        facts_of_test_set(run, test, state)
    except SealBroken as error:
        raise PromotionRefused(str(error)) from None
    return run


def facts_of_test_set(run: Run, test: Dataset, state: StateDir) -> dict[str, Any]:
    """Return what a promotion records of its test set; raises PromotionRefused, SealBroken.

    These are its rows, the models that it judged so far, and for one with a data gate of its own
    the receipt's digest, and how many rows of the run's first test set it lacks or answers anew.
    """
    receipts = run.test_receipts()
    if test.digest not in receipts or test.columns != run.plan.columns:
        first = next(iter(receipts), "")[:12] or "none"
        unseen = f"saw these {len(test)} test rows ({test.digest[:12]}; it saw {first})"
        advice = f"pytest suites/data --for {run.id} --test-data {test.path}"
        raise PromotionRefused(f"no data gate of run {run.id} {unseen}: {advice}")
    facts: dict[str, Any] = {"test_n": len(test), "test_judged": models_judged(state, test.digest)}
    if receipt := receipts[test.digest]:
        facts["test_receipt"] = receipt
        asked = {(question_key(example), example.label) for example in test}
        try:
            rows = run.data("test") if run.plan.test else ()
            facts["test_left_out"] = sum((question_key(e), e.label) not in asked for e in rows)
        except SealBroken as error:  # purged, or changed since
            raise SealBroken(f"the first test set of run {run.id}: {error}") from None
    return facts


def note_on_test_set(facts: Mapping[str, Any]) -> str:
    """Say in one line what a promotion rests on."""
    n, judged, left_out = facts["test_n"], facts["test_judged"], facts.get("test_left_out", 0)
    gate = "a data gate of their own" if "test_receipt" in facts else "the data gate of the run"
    without = f", without {left_out} of the first test set" if left_out else ""
    return f"on {n} test rows that {gate} saw{without}; models they have judged: {judged}"


def models_judged(state: StateDir, digest: str) -> int:
    """Count the models that have a scorecard on the test set with this digest."""
    models = set()
    for path in state.folder.glob("*/*/scorecards/*.json"):  # of runs and of evaluations
        try:
            card = json.loads(path.read_bytes())
            if card["test"]["digest"] == digest:
                models.add(card["model_digest"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return len(models)


def promotion_facts(
    run: Run, candidate: Candidate, card: Mapping[str, Any], card_digest: str
) -> dict[str, Any]:
    """Return the chain as the registry's line records it: run, model, receipt, scorecard, test."""
    facts = {"trained": run.attestation} if run.attestation else {}
    facts |= {"run": run.id, "model": candidate.spec, "model_digest": candidate.digest}
    facts["receipt"] = run.record["receipt"]  # check_promotable compared it with the receipt itself
    return {**facts, "scorecard": card_digest, "test": card["test"]["digest"]}


def line_faults(history: History, number: int, state: StateDir) -> Iterator[str]:
    """Yield what is wrong with a line of the registry, in itself and beside its run if here."""
    entry = history.entries[number]
    if entry["action"] in ("rollback", "keep"):
        keys = MODEL_KEYS if entry["action"] == "rollback" else CHAIN_KEYS
        if (promotion := history.standings[number][entry["alias"]].entry) is None:
            yield "it goes back to no promotion"
        elif differing := [key for key in keys if entry.get(key) != promotion.get(key)]:
            yield f"{', '.join(differing)}: not as in the promotion that it goes back to"
    name = str(entry.get("run"))
    run = Run(state, name) if name.isalnum() and Run(state, name).finished else None
    yield from entry_faults(entry, run, state)


def entry_faults(entry: RegistryEntry, run: Run | None, state: StateDir) -> Iterator[str]:
    """Yield how a line of the registry differs from what was signed, and from its run's files."""
    try:
        state.verify_signed(entry)
    except SealBroken as error:
        yield str(error)
    if run is None:
        return
    try:
        record = run.record
        has_receipt = (run.folder / "receipt.json").is_file()
        receipt = sha256_json(run.receipt) if has_receipt else record["receipt"]
    except SealBroken as error:
        yield str(error)
        return
    names = [(m["model"], m["digest"]) for m in (record, *record.get("checkpoints", {}).values())]
    if (entry.get("model"), entry.get("model_digest")) not in names:
        yield f"it names a model that is not of run {run.id}"
    try:
        if (stated := entry.get("test_receipt")) and stated not in run.test_receipts().values():
            yield "the receipt of the test set that it names is not among those of the run"
    except SealBroken as error:
        yield str(error)
    if entry.get("trained", "") != run.attestation:
        yield "what it says of who trained the model is not what the run says"
    if entry["action"] == "rollback":
        return  # it names neither receipt nor scorecard
    if entry.get("receipt") != receipt:
        yield "it names another receipt than the run has"
    digest = str(entry.get("scorecard", ""))
    path = run.folder / "scorecards" / f"{digest[:12]}.json"
    if not digest.isalnum() or not path.is_file():
        yield "the scorecard that it names is not among those of the run"
        return
    try:
        card = json.loads(path.read_bytes())
        scored = (scorecard_digest(card), card["model_digest"], card["test"]["digest"])
        gate = card["gate"]
    except (ValueError, KeyError, TypeError, AttributeError):
        yield f"{path} is no scorecard"
        return
    fields = ("scorecard", "model_digest", "test")
    if differing := [f for f, s in zip(fields, scored, strict=True) if entry.get(f) != s]:
        yield f"{', '.join(differing)}: not as in {path}"
    if gate != "open":
        yield f"the gate of {path} was closed: {gate}"


def lowered_limits(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return by name the limits that are weaker now: the value before, and now.

    Of a limit of one's own, and of `fewest_per_class`, any change is named: nothing says which way
    it is held. A limit that only one side knows is not compared.
    """
    limits, limits_now = dict(_flat(before)), dict(_flat(now))
    common = {name for name in limits if name in limits_now or "." in name}
    pairs = {name: [limits[name], limits_now.get(name)] for name in sorted(common)}
    return {name: pair for name, pair in pairs.items() if is_weaker(name, *pair)}


def _flat(limits: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each limit by its name, those of tables as `fields.NAME` and `compare.MODEL.NAME`."""
    for name, value in limits.items():
        inner = _flat(value) if isinstance(value, dict) else ()
        yield from ((f"{name}.{key}", v) for key, v in inner) if inner else [(name, value)]


def is_weaker(name: str, before: Any, now: Any) -> bool:
    """Return whether a limit lets more pass than it did."""
    table, _, key = name.partition(".")
    if table == "own":
        return bool(before != now)
    if table == "fields":
        return now is None or bool(now < before)
    name = key.rpartition(".")[2] or table
    if isinstance(before, list) and isinstance(now, list):  # kinds and values that are not asked
        return not {*now} <= {*before}
    if name == "mode":
        return bool(before == "lower" and now == "point")
    if name not in AT_LEAST | AT_MOST:
        return bool(before != now)
    if before is None or now is None:
        return before is not None and now is None
    return bool(now < before) if name in AT_LEAST else bool(now > before)


def lowered_text(lowered: Mapping[str, list[Any]]) -> str:
    """Return the limits in one line, `accuracy 0.95 -> 0.6`; `none` for one that is not set."""
    shown = {k: ["none" if v is None else str(v) for v in pair] for k, pair in lowered.items()}
    return ", ".join(f"{k} {' -> '.join(pair)}" for k, pair in shown.items())
