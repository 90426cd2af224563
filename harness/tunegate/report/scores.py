"""The scores of a scorecard, and the models beside one another on the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import filterfalse, islice
from pathlib import Path
from typing import Any

from ..render import score_line
from ..score import wilson
from .charts import bar
from .gather import Found, Json
from .page import ModelRow, ScoreRow, Scores, Tone
from .words import TESTS, by_file, counted, ended, few, first, minute, named

Note = dict[str, Any]
MOST = 10  # tests that kept the gate from opening: one for each example can be thousands
NEVER = "Never judged: no session of the model suite has left a scorecard."


def scores(found: Found) -> Scores | str:
    """Return what the scorecard holds; a sentence where there is none."""
    card = found.card
    if card is None:
        return NEVER
    notes = [note for note in [*card.get("missed", []), *card["scores"]] if "value" in note]
    idle = list(filter(_nothing, notes))
    judged = list(filterfalse(_nothing, notes))
    more = len(card.get("troubles", {})) - MOST
    return Scores(
        _about(found, card),
        tuple(map(_row, judged)),
        tuple(first(counted(map(_idle, idle)), TESTS)),
        tuple(_models(found, card)),
        tuple(_troubles(card)),
        f"{more:,} more" if more > 0 else "",
        tuple((n["name"], n["detail"]) for n in judged if n.get("detail")),
        tuple(by_file(card["inventory"]).items()),
        tuple(card["removed"]),
    )


def _nothing(note: Note) -> bool:
    """Whether there was nothing to judge; a limit that NaN or infinity was held to is a row."""
    return note["value"] is None and note["limit"] is None


def _about(found: Found, card: Json) -> str:
    which = found.of(card["model_digest"])
    model = "the run's model" if which == "model" else f"checkpoint {which}"
    if not which:
        model = "a model that is not this run's"
    # Troubles are listed apart; an older scorecard has none, nor one that all tests passed.
    gate = "closed" if card.get("troubles") else f"closed: {card['gate']}"
    gate = "open" if card["gate"] == "open" else gate
    n, digest = card["test"]["n"], str(card["test"]["digest"])[:12]
    return ended(f"{minute(card['made'])}, {model} on {n:,} test rows ({digest}). Gate {gate}")


def _row(note: Note) -> ScoreRow:
    known = note["value"] is not None
    name, value, interval, limit, n = score_line(note if known else {**note, "value": 0.0})
    if not known:  # NaN or infinite: only its line says which
        name, value = note["line"], "not a number"
    tone, outcome = _outcome(note)
    between = f", 95 % interval {interval}" if interval else ""
    told = f"{name}: {value}{between}, limit {limit}: {outcome}"
    return ScoreRow(
        name, value, interval, limit, n, f"{note['errors']:,}", tone, outcome,
        note["signature"], note["test"], few(note.get("hints", [])), bar(note, told),
    )  # fmt: skip


def _outcome(note: Note) -> tuple[Tone, str]:
    if note["limit"] is None:
        return "plain", "no limit"
    if note["held"] is None:
        return "bad", "unmeasurable"
    return ("good", "holds") if note["held"] else ("bad", "missed")


def _idle(note: Note) -> str:
    why = "; ".join([*note.get("idle", []), *note.get("hints", [])])
    return f"{note['name']}: {why}" if why else str(note["name"])


def _models(found: Found, card: Json) -> Iterator[ModelRow]:
    roles = {"candidate": "predictions", "baseline": "baseline", "incumbent": "incumbent"}
    for role, key in roles.items():
        if (counts := card[key]) and counts["n"]:
            yield _model(role, counts, found.root)


def _model(role: str, counts: Json, root: Path) -> ModelRow:
    right, n = int(counts["right"]), int(counts["n"])
    low, high = wilson(right, n)
    whole = {"name": role, "value": right / n, "low": low, "high": high, "hits": right, "n": n}
    note: Note = {**whole, "limit": None, "sign": ">="}
    _, share, interval, _, _ = score_line(note)
    # One axis for all of them: they are there to be compared.
    told = f"{role}: {share} right, 95 % interval {interval}"
    return ModelRow(
        role, named(counts["model"], root), f"{right:,} of {n:,}", share, interval,
        f"{counts['errors']:,}", bar(note, told, whole=True),
    )  # fmt: skip


def _troubles(card: Json) -> Iterator[tuple[str, str, str]]:
    """Yield the first tests that kept the gate from opening: what became of each, and why."""
    for test, what in islice(card.get("troubles", {}).items(), MOST):
        notes = [n for n in card.get("missed", []) if n["test"] == test and not n["held"]]
        yield test, what, "; ".join(first(counted(note["line"] for note in notes)))
