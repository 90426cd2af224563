"""The scores of a scorecard, and the models beside one another on the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import filterfalse, islice
from pathlib import Path
from typing import Any

from ..render import score_cells
from ..score import wilson
from .charts import score_bar
from .gather import Json, RunFiles
from .page import ModelRow, ScoreRow, Scores, Tone
from .words import (
    MAX_TESTS,
    count_repeats,
    first_hints,
    first_texts,
    public_name,
    tests_by_file,
    time_text,
    with_full_stop,
)

OutcomeDict = dict[str, Any]
MAX_NOT_PASSED = 10  # tests that kept the gate from opening: one for each example can be thousands
NO_SESSION = "Never judged: no session of the model suite has left a scorecard."


def scores_section(files: RunFiles) -> Scores | str:
    """Return what the scorecard holds; a sentence where there is none."""
    card = files.card
    if card is None:
        return NO_SESSION
    outcomes = [
        outcome for outcome in [*card.get("missed", []), *card["scores"]] if "value" in outcome
    ]
    not_applicable = list(filter(_is_not_applicable, outcomes))
    judged = list(filterfalse(_is_not_applicable, outcomes))
    more = len(card.get("troubles", {})) - MAX_NOT_PASSED
    return Scores(
        _session_intro(files, card),
        tuple(map(_score_row, judged)),
        tuple(first_texts(count_repeats(map(_not_applicable_text, not_applicable)), MAX_TESTS)),
        tuple(_model_rows(files, card)),
        tuple(_not_passed_rows(card)),
        f"{more:,} more" if more > 0 else "",
        tuple((n["name"], n["detail"]) for n in judged if n.get("detail")),
        tuple(tests_by_file(card["inventory"]).items()),
        tuple(card["removed"]),
    )


def _is_not_applicable(outcome: OutcomeDict) -> bool:
    """Whether there was nothing to judge; a limit that NaN or infinity was held to is a row."""
    return outcome["value"] is None and outcome["limit"] is None


def _session_intro(files: RunFiles, card: Json) -> str:
    model_name = files.name_of_model(card["model_digest"])
    model = "the run's model" if model_name == "model" else f"checkpoint {model_name}"
    if not model_name:
        model = "a model that is not this run's"
    # Troubles are listed apart; an older scorecard has none, nor one that all tests passed.
    gate = "closed" if card.get("troubles") else f"closed: {card['gate']}"
    gate = "open" if card["gate"] == "open" else gate
    n, digest = card["test"]["n"], str(card["test"]["digest"])[:12]
    return with_full_stop(
        f"{time_text(card['made'])}, {model} on {n:,} test rows ({digest}). Gate {gate}"
    )


def _score_row(outcome: OutcomeDict) -> ScoreRow:
    has_value = outcome["value"] is not None
    name, value, interval, limit, n = score_cells(
        outcome if has_value else {**outcome, "value": 0.0}
    )
    if not has_value:  # NaN or infinite: only its line says which
        name, value = outcome["line"], "not a number"
    tone, outcome_text = _tone_and_verdict(outcome)
    interval_text = f", 95 % interval {interval}" if interval else ""
    description = f"{name}: {value}{interval_text}, limit {limit}: {outcome_text}"
    return ScoreRow(
        name, value, interval, limit, n, f"{outcome['errors']:,}", tone, outcome_text,
        outcome["signature"], outcome["test"], first_hints(outcome.get("hints", [])), score_bar(outcome, description),
    )  # fmt: skip


def _tone_and_verdict(outcome: OutcomeDict) -> tuple[Tone, str]:
    if outcome["limit"] is None:
        return "plain", "no limit"
    if outcome["held"] is None:
        return "bad", "unmeasurable"
    return ("good", "holds") if outcome["held"] else ("bad", "missed")


def _not_applicable_text(outcome: OutcomeDict) -> str:
    reason = "; ".join([*outcome.get("idle", []), *outcome.get("hints", [])])
    return f"{outcome['name']}: {reason}" if reason else str(outcome["name"])


def _model_rows(files: RunFiles, card: Json) -> Iterator[ModelRow]:
    roles = {"candidate": "predictions", "baseline": "baseline", "incumbent": "incumbent"}
    for role, key in roles.items():
        if (counts := card[key]) and counts["n"]:
            yield _model_row(role, counts, files.root)


def _model_row(role: str, counts: Json, root: Path) -> ModelRow:
    right, n = int(counts["right"]), int(counts["n"])
    low, high = wilson(right, n)
    values = {"name": role, "value": right / n, "low": low, "high": high, "hits": right, "n": n}
    outcome: OutcomeDict = {**values, "limit": None, "sign": ">="}
    _, share, interval, _, _ = score_cells(outcome)
    # One axis for all of them: they are there to be compared.
    description = f"{role}: {share} right, 95 % interval {interval}"
    return ModelRow(
        role, public_name(counts["model"], root), f"{right:,} of {n:,}", share, interval,
        f"{counts['errors']:,}", score_bar(outcome, description, full_scale=True),
    )  # fmt: skip


def _not_passed_rows(card: Json) -> Iterator[tuple[str, str, str]]:
    """Yield the first tests that kept the gate from opening: what became of each, and why."""
    for test, status in islice(card.get("troubles", {}).items(), MAX_NOT_PASSED):
        outcomes = [n for n in card.get("missed", []) if n["test"] == test and not n["held"]]
        yield (
            test,
            status,
            "; ".join(first_texts(count_repeats(outcome["line"] for outcome in outcomes))),
        )
