"""The learning curve of a training, `--probe`: how far more rows would carry.

The trainer learns an eighth, a quarter and a half of the rows, and is judged on the validation set.
These runs stand in a state tree of their own, with a key of its own: none can be promoted.
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from ..data.comparison import connected, rows_together
from ..data.dataset import Dataset
from ..data.splitting import read_complete, strata_of, stratified_group_split
from ..errors import ConfigError
from ..exit_codes import TRAINING_FAILED
from ..interfaces.trainer import Plan, Trainer
from ..models.predict import cached_predictions
from ..results.learning_curve import Point, rows_needed_for
from ..results.prediction import Predictions
from ..results.score import Unmeasurable, format_limit
from ..session.context import SessionContext
from ..storage.state_dir import Run, StateDir, run_id
from .decision import Gate, GateDecision
from .training_process import train_in_child

TASKS = ("classification", "multilabel")  # those that the model suite holds to `limits.accuracy`
FEWEST_ROWS = 10  # in an eighth
FEWEST_JUDGED = (
    100  # fewer hold less than 95 % of what they promise: 84 of 100 intervals of 60 rows
)


def check_probe(session: SessionContext, trainer: Trainer, settings: Mapping[str, Any]) -> None:
    """Raise ConfigError where this training cannot be probed."""
    task, trainers = session.config.task, session.plugins.trainers.items()
    able = ", ".join(sorted(name for name, t in trainers if hasattr(t, "why_no_probe")))
    reason = f"it does not train on parts of the rows; valid: {able or 'no trainer here'}"
    if hasattr(trainer, "why_no_probe"):
        reason = trainer.why_no_probe(settings)
    if not reason and task not in TASKS:
        reason = f"it measures accuracy: task = {task!r}; valid: {', '.join(TASKS)}"
    if not reason and session.config.limits.accuracy >= 1:
        reason = "no number of rows takes the last error away; set limits.accuracy below 1"
    if reason:
        raise ConfigError(f"--train-with {trainer.name} --probe: {reason}")
    session.splits.get("validation")  # raises ConfigError, which says how to name the file


def measure_curve(gate: Gate, decision: GateDecision, plan: Plan, whole: Run) -> int:
    """Train on parts of the rows, judge them and a finished `whole` run; return the exit status."""
    config, say, points = gate.session.config, gate.session.say, list[Point]()
    runs, n, validation = runs_of(gate, decision, plan)
    units = len(connected(len(validation), rows_together(validation)))
    if units < FEWEST_JUDGED:
        advice = f"{FEWEST_JUDGED} are the fewest (of a group, data.group_by, one counts)"
        raise ConfigError(f"--probe: {units:,} independent validation rows; {advice}")
    for size, run in [*runs.items(), *([(n, whole)] if whole.finished else [])]:
        if (answers := validation_answers(run)) is None:
            say("probe", f"{'asks' if run.finished else 'learns'} {size:,} of {n:,} rows")
            code = train_in_child(run, "--probe")
            if code == TRAINING_FAILED and run is whole:
                say("probe", f"{size:,} of {n:,} rows: left out, its model cannot be asked")
                continue
            if code or (answers := validation_answers(run)) is None:
                say("probe", f"did not finish (exit {code}); the same command goes on", good=False)
                return code or 1
        for folder in run.folder.glob("*/") if run is not whole else ():
            shutil.rmtree(folder)  # the answers are what is needed of a model
        rows, wrong = size, [p.row for p in answers if not config.label_rule.right(p)]
        share = f"{len(wrong):,} of {len(validation):,} validation rows wrong"
        say("probe", f"{rows:,} of {n:,} rows: {share} ({len(wrong) / len(validation):.1%})")
        points.append((rows, len(wrong) * units / len(validation), units))
    say("curve", rows_text(points, config.limits.accuracy, n))
    labels = Counter(label for row in wrong for label in validation[row].labels)
    if worst := ", ".join(f"{label} {k:,}" for label, k in labels.most_common(3)):
        say("", f"most often wrong at {rows:,} rows: {worst}, of {len(wrong):,}")
    say("next", f"pytest {config.suites.data} --train-with {plan.trainer}")
    return 0


def rows_text(points: Sequence[Point], limit: float, n: int) -> str:
    """Return how many rows more than n the limit takes, or why that cannot be said."""
    wanted, target = format_limit(limit, True), 1 - float(limit)
    try:
        *ends, goes_on = rows_needed_for(points, target)
    except Unmeasurable as error:
        return f"how many rows {wanted} takes cannot be said: {error}"
    lower = f"; its lower bound at {wanted} (mode = 'lower') takes more"
    less, more, rest = (0, "", f"; {n:,} are there") if ends[-1] <= n else (n, " more", "")
    if goes_on:
        floor = f"these sizes do not exclude that they stay above {format_limit(target, True)}"
        rest += f", if errors go on falling like this; {floor}"
    rest += lower if getattr(limit, "mode", "") == "lower" else ""
    likely, low, high = (f"{float(f'{max(end - less, 0):.2g}'):,.0f}" for end in ends)
    return f"{wanted} takes about {likely} rows{more} ({low} to {high}, 95 % sure){rest}"


def runs_of(gate: Gate, decision: GateDecision, plan: Plan) -> tuple[dict[int, Run], int, Dataset]:
    """Return the runs on parts of the rows by size, how many all are, and the validation set."""
    state, reading, runs = gate.session.state.probe, gate.session.config.reading, dict[int, Run]()
    assert plan.validation is not None
    lines, train = read_complete(plan.train, reading, plan.columns)
    held_out, validation = read_complete(plan.validation, reading, plan.columns)
    parts = nested_parts(train, plan.seed)
    sizes = [*map(len, parts), len(train)]
    if sizes[0] < FEWEST_ROWS or any(3 * b < 4 * a for a, b in pairwise(sizes)):
        why = f"the rows, or their groups (data.group_by), cannot be halved three times: {sizes}"
        raise ConfigError(f"--probe: {why}; {FEWEST_ROWS} are the fewest")
    judged = state.store_snapshot(b"\n".join([*held_out, b""]))
    for rows in parts:
        learnt = state.store_snapshot(b"\n".join([*(lines[row] for row in rows), b""]))
        part = replace(plan, train=learnt, validation=judged, test=None, columns={})
        run = runs[len(rows)] = Run(state, run_id(part))
        if run.finished and not (any(run.folder.glob("*/")) or validation_answers(run)):
            (run.folder / "run.json").unlink()  # neither the model nor its answers are there
        if not run.finished:
            digests = {"train": learnt.stem, "validation": judged.stem}
            gate.start_run(run, part, replace(decision, digests=digests))
    return runs, len(train), validation


def nested_parts(train: Dataset, seed: int) -> list[list[int]]:
    """Return an eighth, a quarter and a half of the rows, nested; groups whole, labels even."""
    labels, groups = strata_of(train, "label"), connected(len(train), rows_together(train))
    parts, halves = list[list[int]](), {"kept": 0.5, "left": 0.5}
    for _ in range(3):
        kept = {*stratified_group_split(labels, groups, halves, seed)["kept"]}
        groups = [group for group in groups if group[0] in kept]
        parts.insert(0, sorted(kept))
    return parts


def validation_answers(run: Run) -> Predictions | None:
    """Return the answers of a finished run to its validation set; None unless all are there."""
    rows, digest = run.data("validation"), run.model_of()[1] if run.finished else ""
    kept = StateDir(run.state.root, run.state.folder)  # whatever --fresh says: it asks no part anew
    answers = cached_predictions(run.spec, digest, rows, kept)
    return None if answers is None or answers.errors else answers
