"""Makes the sections of a report: scores, wrong answers, data suite, training."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from types import SimpleNamespace
from typing import Any

from ...data import SPLITS
from ...models.evaluation import Evaluation, Json
from ...results.labels import wrong_labels
from ...results.prediction import Predictions
from ...results.score import wilson
from ...results.session_results import asked_in_words
from ...tokenization.spec import on_pairs
from ...utils.masking import masker
from ...utils.text import all_of, cut
from ..terminal import MAX_HINTS_VERBOSE, collect_hints, score_cells
from . import text
from .charts import axis_ends, loss_chart, score_bar
from .gather import RunFiles

OutcomeDict = dict[str, Any]
NO_LIMIT = ("plain", "no limit")
MAX_NOT_PASSED = 10  # of the tests that closed the gate: with one per example there are thousands


def scores_section(files: RunFiles) -> SimpleNamespace | str:
    """Return the scores of the scorecard; a sentence where there is none."""
    if (card := files.card) is None:
        return "Never judged: no session of the model suite has left a scorecard."
    rows, not_applicable, details = list[SimpleNamespace](), list[str](), list[tuple[str, str]]()
    missed_lines: dict[str, list[str]] = {}
    for outcome in (o for o in card.get("missed", []) if not o["held"]):
        missed_lines.setdefault(outcome["test"], []).append(outcome["line"])
    scores = [o for o in [*card.get("missed", []), *card["scores"]] if "value" in o]
    by_unit: dict[str, list[OutcomeDict]] = {}
    for outcome in scores:
        by_unit.setdefault(unit_of(outcome), []).append(outcome)
    ends = {unit: axis_ends(same, unit == "%") for unit, same in by_unit.items()}
    for outcome in scores:
        # An outcome with a limit and no value is a row: its value was NaN or infinite.
        if outcome["value"] is None and outcome["limit"] is None:
            reason = "; ".join([*outcome.get("idle", []), *outcome.get("hints", [])])
            name = str(outcome["name"])
            not_applicable.append(f"{name}: {reason}" if reason else name)
            continue
        rows.append(score_row(outcome, ends[unit_of(outcome)]))
        if outcome.get("detail"):
            details.append((outcome["name"], outcome["detail"]))
    model_name = files.name_of_model(card["model_digest"])
    own_model = "the model" if isinstance(files.run, Evaluation) else "the run's model"
    models = {"": "a model that is not this run's", "model": own_model}
    model = models.get(model_name, f"checkpoint {model_name}")
    gate = "open" if card["gate"] == "open" else f"closed: {card['gate']}"
    not_passed = card.get("troubles", {})  # an older scorecard has none
    if not_passed and gate != "open":
        gate = "closed"  # the tests are listed below
    n, digest = card["test"]["n"], str(card["test"]["digest"])[:12]
    session = f"{text.time_text(card['made'])}, {model} on {n:,} test rows ({digest})"
    if asked := asked_in_words(card):
        session += f": {asked}"
    more = len(not_passed) - MAX_NOT_PASSED
    return SimpleNamespace(
        intro=text.with_full_stop(f"{session}. Gate {gate}"), rows=tuple(rows),
        not_applicable=tuple(text.first_texts(not_applicable, text.MAX_TESTS)),
        models=tuple(model_rows(files, card)), details=tuple(details),
        not_passed=tuple(
            (test, status, "; ".join(text.first_texts(missed_lines.get(test, ()))))
            for test, status in islice(not_passed.items(), MAX_NOT_PASSED)
        ),
        more=f"{more:,} more" if more > 0 else "", removed=tuple(card["removed"]),
        tables=tuple((o["name"], o["table"]) for o in card.get("tables", [])),
        tests=tuple(text.tests_by_file(card["inventory"]).items()),
    )  # fmt: skip


def unit_of(outcome: OutcomeDict) -> str:
    """Return the unit of a score: per cent, that after its name, or a ratio; else it is its own."""
    match = re.search(r"\([^()]+\)$| / ", outcome["name"])
    return "%" if outcome["hits"] is not None else match[0] if match else outcome["name"]


def score_row(outcome: OutcomeDict, ends: tuple[float, float]) -> SimpleNamespace:
    """Return the row of a score, with its bar on this axis and whether it held its limit."""
    has_value = outcome["value"] is not None
    shown = outcome if has_value else {**outcome, "value": 0.0}
    name, value, interval, limit, n = score_cells(shown)
    if not has_value:  # NaN or infinite: only its line says which
        name, value = outcome["line"], "not a number"
    verdicts = {True: ("good", "holds"), False: ("bad", "missed"), None: ("bad", "unmeasurable")}
    tone, verdict = verdicts[outcome["held"]] if outcome["limit"] is not None else NO_LIMIT
    interval_text = f", 95 % interval {interval}" if interval else ""
    description = f"{name}: {value}{interval_text}, limit {limit}: {verdict}"
    return SimpleNamespace(
        name=name, value=value, interval=interval, limit=limit, n=n, tone=tone, outcome=verdict,
        errors=f"{outcome['errors']:,}", signature=outcome["signature"], test=outcome["test"],
        hints=text.first_hints(outcome.get("hints", [])), bar=score_bar(outcome, description, ends),
    )  # fmt: skip


def model_rows(files: RunFiles, card: Json) -> Iterator[SimpleNamespace]:
    """Yield a row for each model that answered the test rows, all bars on an axis of 0 to 100 %."""
    roles = {"candidate": "predictions", "baseline": "baseline", "incumbent": "incumbent"}
    for role, key in roles.items():
        counts = card[key]
        if not (counts and counts["n"]):
            continue
        right, n = int(counts["right"]), int(counts["n"])
        low, high = wilson(right, n)
        values = {"name": role, "value": right / n, "low": low, "high": high, "hits": right, "n": n}
        outcome: OutcomeDict = {**values, "limit": None, "sign": ">="}
        _, share, interval, _, _ = score_cells(outcome)
        bar = score_bar(outcome, f"{role}: {share} right, 95 % interval {interval}", (0, 1))
        yield SimpleNamespace(
            role=role, model=text.public_name(counts["model"], files.root), share=share, bar=bar,
            interval=interval, right=f"{right:,} of {n:,}", errors=f"{counts['errors']:,}",
        )  # fmt: skip


# The data suite, as the receipt has it.

OutcomesByTest = dict[str, list[OutcomeDict]]
NO_RECEIPT = "There is no receipt: no gate of this project opened for this run."
NO_SPLIT = ""  # stands for the split of a test that is about no single split


def suite_section(files: RunFiles) -> SimpleNamespace | str:
    """Return the tests of the data suite; a sentence where there is no receipt."""
    if (receipt := files.receipt) is None:
        return NO_RECEIPT
    tests: OutcomesByTest = receipt["tests"]
    cells = suite_cells(tests)
    splits = tuple(s for s in (*SPLITS, NO_SPLIT) if any(s in row for row in cells.values()))
    limits = {k: v for k, v in receipt["limits"].items() if v not in (None, {}, [])}
    limits |= {f"own: {k}": v for k, v in limits.pop("own", {}).items()}
    for name, held in limits.pop("compare", {}).items():
        limits |= {f"{k} to {name}": v for k, v in held.items() if v is not None}
    read = [receipt["data"][split]["path"] for split in SPLITS if split in receipt["data"]]
    data_files = [text.public_name(path, files.root) for path in read]
    passed = f"{text.time_text(receipt['made'])}: {all_of(len(tests), 'test')} passed"
    hints = collect_hints([outcome for outcomes in tests.values() for outcome in outcomes])
    return SimpleNamespace(
        intro=f"{passed} on {', '.join(data_files)}.", splits=splits,
        train=receipt["data"].get("train", {}).get("digest", ""),
        rows=tuple(
            (*text.test_title(test), tuple(row.get(split, "") for split in splits))
            for test, row in cells.items()
        ),
        hints=tuple((check, text.first_hints(texts)) for check, texts in hints.items()),
        accepted=receipt.get("accepted", []), removed=tuple(receipt["removed"]),
        limits=text.value_pairs(limits),
        unset=tuple(k.replace("_", " ") for k, v in receipt["limits"].items() if v is None),
    )  # fmt: skip


def suite_cells(tests: OutcomesByTest) -> dict[str, dict[str, str]]:
    """Return the results as text, by test function and split."""
    texts: dict[str, dict[str, list[str]]] = {}
    for nodeid, outcomes in tests.items():
        test, _, parameter = nodeid.partition("[")
        parameter = parameter.rstrip("]")
        split_of_test = parameter if parameter in SPLITS else NO_SPLIT
        row = texts.setdefault(test, {})
        for outcome in outcomes:
            row.setdefault(outcome["split"] or split_of_test, []).append(outcome_text(outcome))
        if not outcomes:
            row.setdefault(split_of_test, [])
    return {
        test: {split: "; ".join(text.first_texts(t)) or "passed" for split, t in row.items()}
        for test, row in texts.items()
    }


def outcome_text(outcome: OutcomeDict) -> str:
    """Return the value and limit of a score, or the counts of a check."""
    if outcome.get("idle"):
        return "nothing to judge"
    if outcome.get("value") is not None:
        _, value, _, limit, _ = score_cells(outcome)
        return value if outcome["limit"] is None else f"{value}, limit {limit}"
    if "found" in outcome:
        n = len(outcome.get("accepted") or ())
        accepted_text = f", {n:,} accepted" if n else ""
        return f"{outcome['found']:,} in {outcome['n']:,}{accepted_text}"
    return "held"


# The wrong answers, in the words of the terminal.

LABELLED_TASKS = ("classification", "multilabel", "tools")
MAX_REASONING = 4_000  # characters of one text of an answer that are shown
NO_ANSWERS = "The answers are not kept any more: only their counts are."
ANSWERS_CHANGED = "The answers that are kept do not add up to what was judged: some were purged, "
ANSWERS_CHANGED += "or `label` in the configuration was changed since."


def misses_section(files: RunFiles) -> SimpleNamespace | str:
    """Return the first wrong answers; a sentence where there are none, or they cannot be shown."""
    card, task = files.card, files.config.task
    if card is None:
        return "Never judged: there is no answer to look at."
    if task not in LABELLED_TASKS:
        listed = ", ".join(LABELLED_TASKS)
        return f"Wrong answers are listed for {listed}; the task here is {task}."
    if files.test is None:
        return "The test data that it was judged on is not here any more (purged, or moved)."
    if files.predictions is None or not (counts := card["predictions"]):
        return NO_ANSWERS
    try:
        wrong = wrong_labels(files.predictions, files.config.label_rule)
    except ValueError as error:  # the rule was changed, and cannot read the expected replies
        return f"{error}."
    if len(wrong) != counts["n"] - counts["right"]:
        return ANSWERS_CHANGED
    if not len(wrong):
        return f"None: all {counts['n']:,} answers were right."
    hidden = len(wrong) - MAX_HINTS_VERBOSE
    more = f"{hidden:,} more; tunegate failures {files.run.id} writes them all." * (hidden > 0)
    hide = masker(quotes=True)
    rows = tuple((f.line, f.kind, hide(f.evidence)) for f in wrong[:MAX_HINTS_VERBOSE])
    total = f"{len(wrong):,} of {counts['n']:,} answers were wrong."
    return SimpleNamespace(rows=rows, total=total, more=more)


# The training: curves, figures, settings.

CHART_WIDTHS = (1040, 360)  # of the drawing: for a wide screen and for a phone
NO_CURVES = "No loss curves: the training left none."
TRAINED_ELSEWHERE = "No loss curves: it was trained elsewhere."
TEXT_FIGURES = ("word", "proved", "trained", "imported")  # figures that are sentences


def training_section(files: RunFiles) -> SimpleNamespace | str:
    """Return how the run was trained; a sentence for a model that tunegate did not train."""
    if isinstance(files.run, Evaluation):
        return "This model belongs to no run: it was not trained in this project."
    plan, run, root = files.run.plan, files.run, files.root
    figures: dict[str, Any] = files.record["figures"]
    settings = {k: text.public_setting(v, root, k) for k, v in sorted(plan.config.items())}
    numbers = {k: v for k, v in figures.items() if k not in TEXT_FIGURES}
    step = figures.get("kept_step")
    kept_step = float(step) if isinstance(step, int | float) else None
    curves = run.curves(), run.curves(after_kept=True)
    charts = tuple(filter(None, (loss_chart(*curves, kept_step, w) for w in CHART_WIDTHS)))
    no_charts = TRAINED_ELSEWHERE if figures.get("word") else NO_CURVES
    base = text.public_name(str(plan.base), root)
    intro = f"Trained by {text.training_method(plan)} on {base}, seed {plan.seed}."
    if figures.get("proved"):
        intro += f" Held against the export: {figures['proved']}."
    kept_epoch = f"kept: epoch {figures.get('kept_epoch')} of {figures.get('epochs', '?')}"
    return SimpleNamespace(
        intro=intro, charts=charts or no_charts, kept_epoch=kept_epoch * ("kept_epoch" in figures),
        loss_unit="pair" if on_pairs(plan.config) else "token",
        figures=text.value_pairs({k: text.public_setting(v, root, k) for k, v in numbers.items()}),
        settings=text.value_pairs(settings),
    )  # fmt: skip


# Every answer, for the page beside the report.


def answer_rows(
    files: RunFiles, predictions: Predictions, changes: Mapping[int | None, str]
) -> list[list[str]]:
    """Return line, outcome, change, label, expected, got, prompt, reasoning of each, masked."""
    rule, hide, rows = files.config.label_rule, masker(quotes=True), []
    rounds = predictions.repetitions or (predictions,)
    for p in chain.from_iterable(zip(*rounds, strict=True)):
        label, outcome = "", "answered"
        if files.config.task in LABELLED_TASKS:
            label, outcome = rule.labels_of(p)[0] or "", "right" if rule.right(p) else "wrong"
        outcome = "error" if p.error else outcome
        got = "\n".join(filter(None, (p.error or p.got, p.calls)))
        texts = (label, p.expected_calls or p.expected, got, p.prompt, p.reasoning)
        shown = (cut(hide(text), MAX_REASONING) for text in texts)
        rows.append([f"{p.line:,}", outcome, changes.get(p.row, ""), *shown])
    return rows
