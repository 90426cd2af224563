"""The scores of a scorecard, and the models beside one another on the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import filterfalse, islice
from pathlib import Path
from typing import Any

from ...data.dataset import SPLITS
from ...results.finding import Finding
from ...results.intervals import wilson
from ...results.labels import label_rule
from ...results.labels import wrong_labels as listed
from ...tokenization.spec import on_pairs
from ..terminal import MAX_HINTS_VERBOSE, collect_hints, score_cells
from .charts import LossChart, loss_chart, score_bar
from .gather import Json, RunFiles
from .page import CheckRow, Miss, Misses, ModelRow, ScoreRow, Scores, Suite, Tone, Training
from .text import (
    MAX_TESTS,
    count_repeats,
    first_hints,
    first_texts,
    public_name,
    public_setting,
    test_title,
    tests_by_file,
    time_text,
    training_method,
    value_pairs,
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


# [merged] The data suite as the receipt has it: each test with what it said of each split.

OutcomesByTest = dict[str, list[dict[str, Any]]]
NO_RECEIPT = "There is no receipt: no gate of this project opened for this run."
NO_SPLIT = ""  # of a test that is about no split in particular


def suite_section(files: RunFiles) -> Suite | str:
    """Return the data suite; a sentence where there is no receipt."""
    receipt = files.receipt
    if receipt is None:
        return NO_RECEIPT
    tests: OutcomesByTest = receipt["tests"]
    cells = _cell_texts(tests)
    splits = tuple(s for s in (*SPLITS, NO_SPLIT) if any(s in row for row in cells.values()))
    limits = {k: v for k, v in receipt["limits"].items() if v not in (None, {}, [])}
    limits |= {f"own: {k}": v for k, v in limits.pop("own", {}).items()}
    return Suite(
        _suite_intro(files, receipt),
        splits,
        tuple(_check_row(test, row, splits) for test, row in cells.items()),
        tuple(_hint_groups(tests)),
        tuple(_accepted_rows(receipt)),
        tuple(receipt["removed"]),
        value_pairs(limits),
        tuple(k.replace("_", " ") for k, v in receipt["limits"].items() if v is None),
    )


def _suite_intro(run_files: RunFiles, receipt: Json) -> str:
    n = len(receipt["tests"])
    data = receipt["data"]
    files = [
        _relative_path(data[split]["path"], run_files.root) for split in SPLITS if split in data
    ]
    return f"{time_text(receipt['made'])}: all {n:,} tests passed on {', '.join(files)}."


def _relative_path(path: str, root: Path) -> str:
    inside = Path(path).is_relative_to(root)
    return Path(path).relative_to(root).as_posix() if inside else Path(path).name


def _cell_texts(tests: OutcomesByTest) -> dict[str, dict[str, str]]:
    """Return, by test function and split, what the test said."""
    texts: dict[str, dict[str, list[str]]] = {}
    for nodeid, outcomes in tests.items():
        test, _, parameter = nodeid.partition("[")
        row, parameter_split = texts.setdefault(test, {}), parameter.rstrip("]")
        for outcome in outcomes:
            split = outcome["split"] or (parameter_split if parameter_split in SPLITS else NO_SPLIT)
            row.setdefault(split, []).append(_outcome_text(outcome))
        if not outcomes:
            row.setdefault(parameter_split if parameter_split in SPLITS else NO_SPLIT, [])
    return {
        test: {
            split: "; ".join(first_texts(count_repeats(split_texts))) or "passed"
            for split, split_texts in row.items()
        }
        for test, row in texts.items()
    }


def _outcome_text(outcome: dict[str, Any]) -> str:
    if outcome.get("idle"):
        return "nothing to judge"
    if outcome.get("value") is not None:
        _, value, _, limit, _ = score_cells(outcome)
        return value if outcome["limit"] is None else f"{value}, limit {limit}"
    if "found" in outcome:
        accepted_text = (
            f", {len(outcome['accepted']):,} accepted" if outcome.get("accepted") else ""
        )
        return f"{outcome['found']:,} in {outcome['n']:,}{accepted_text}"
    return "held"


def _check_row(test: str, row: dict[str, str], splits: tuple[str, ...]) -> CheckRow:
    return CheckRow(*test_title(test), tuple(row.get(split, "") for split in splits))


def _hint_groups(tests: OutcomesByTest) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what the checks noted beside, the first few of each, as the terminal does."""
    outcomes = [outcome for outcomes in tests.values() for outcome in outcomes]
    hints: dict[str, list[str]] = {}
    for (name, hint), splits in collect_hints(outcomes).items():
        hints.setdefault(f"{name} of {', '.join(splits)}" if splits else name, []).append(hint)
    yield from ((check, first_hints(check_hints)) for check, check_hints in hints.items())


ACCEPTED_KEYS = ("id", "check", "kind", "where", "evidence", "why", "who")


def _accepted_rows(receipt: Json) -> Iterator[tuple[str, ...]]:
    for entry in receipt.get("accepted", []):
        yield tuple(str(entry.get(key, "")) for key in ACCEPTED_KEYS)


# [merged] The wrong answers, told as the terminal tells them.

NO_SCORECARD = "Never judged: there is no answer to look at."
NO_TEST = "The test data that it was judged on is not here any more (purged, or moved)."
NO_ANSWERS = "The answers are not kept any more: only their counts are."
ANSWERS_CHANGED = (
    "The answers that are kept do not add up to what was judged: some were purged, or `label` in "
    "the configuration was changed since."
)


def misses_section(files: RunFiles) -> Misses | str:
    """Return the first wrong answers; a sentence where they cannot be shown, or there are none."""
    card, task = files.card, files.config.task
    if card is None:
        return NO_SCORECARD
    if task != "classification":
        return f"Wrong answers are listed for classification; the task here is {task}."
    if files.test is None:
        return NO_TEST
    if files.predictions is None or not card["predictions"]:
        return NO_ANSWERS
    try:
        wrong_answers = listed(files.predictions, label_rule(files.config.label))
    except ValueError as error:  # the rule of today cannot read what was expected
        return f"{error}."
    counts = card["predictions"]
    if len(wrong_answers) != counts["n"] - counts["right"]:
        return ANSWERS_CHANGED
    if not len(wrong_answers):
        return f"None: all {counts['n']:,} answers were right."
    hidden = len(wrong_answers) - MAX_HINTS_VERBOSE
    more = (
        f"{hidden:,} more; tunegate failures {files.run.id} writes them all." if hidden > 0 else ""
    )
    total = f"{len(wrong_answers):,} of {counts['n']:,} answers were wrong."
    return Misses(tuple(map(_miss_row, wrong_answers[:MAX_HINTS_VERBOSE])), total, more)


def _miss_row(finding: Finding) -> Miss:
    line = "" if finding.line is None else f"{finding.line:,}"
    return Miss(line, finding.kind, finding.evidence)


# [merged] How the run was trained: curves, figures, settings.

CHART_WIDTHS = (1040, 360)  # of the drawing: on a desk, on a phone
NO_CURVES = "No loss curves: the training left none."
TRAINED_ELSEWHERE = "No loss curves: it was trained elsewhere."
TEXT_FIGURES = ("word", "proved", "trained", "imported")  # figures that are sentences: told apart


def training_section(files: RunFiles) -> Training:
    """Return how the run was trained."""
    figures: dict[str, Any] = files.record["figures"]
    plan, run = files.run.plan, files.run
    settings = {k: public_setting(v, files.root, k) for k, v in sorted(plan.config.items())}
    numbers = {
        k: public_setting(v, files.root, k) for k, v in figures.items() if k not in TEXT_FIGURES
    }
    loss_charts = [
        loss_chart(run.curves, run.curves_after_kept, _kept_step(figures), w) for w in CHART_WIDTHS
    ]
    charts: tuple[LossChart, ...] | str = tuple(chart for chart in loss_charts if chart)
    if not charts:
        charts = TRAINED_ELSEWHERE if figures.get("word") else NO_CURVES
    intro = f"Trained by {training_method(plan)} on {public_name(str(plan.base), files.root)}, seed {plan.seed}."
    proved_text = f" Held against the export: {figures['proved']}." if figures.get("proved") else ""
    loss_unit = "pair" if on_pairs(plan.config) else "token"
    return Training(
        intro + proved_text,
        charts,
        loss_unit,
        _kept_epoch_text(figures),
        value_pairs(numbers),
        value_pairs(settings),
    )


def _kept_step(figures: dict[str, Any]) -> float | None:
    step = figures.get("kept_step")
    return float(step) if isinstance(step, int | float) else None


def _kept_epoch_text(figures: dict[str, Any]) -> str:
    if "kept_epoch" not in figures:
        return ""
    return f"kept: epoch {figures['kept_epoch']} of {figures.get('epochs', '?')}"
