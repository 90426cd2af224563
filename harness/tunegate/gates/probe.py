"""The learning curve of a training, `--probe`: how far more rows would carry.

The trainer learns an eighth, a quarter and a half of the rows, and is judged on the validation set.
These runs stand in a state tree of their own, with a key of its own: none can be promoted.
"""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from ..data.comparison import connected, rows_together
from ..data.dataset import Dataset
from ..data.splitting import SplitError, read_complete, strata_of, stratified_group_split
from ..errors import ConfigError
from ..interfaces.trainer import Plan, Trainer
from ..models.predict import cached_predictions
from ..results.learning_curve import Point, rounded, rows_needed_for
from ..results.prediction import Predictions
from ..results.score import Unmeasurable, format_limit
from ..session.context import SessionContext
from ..storage.state_dir import Run, run_id
from ..utils.text import counted
from .decision import Gate, GateDecision
from .training_process import PROBE_OPTION, train_in_child

TASKS = ("classification", "multilabel")  # those that the model suite holds to `limits.accuracy`
FEWEST_ROWS = 80  # ten in an eighth
HALVES = {"kept": 0.5, "left": 0.5}


def check_probe(session: SessionContext, trainer: Trainer, settings: Mapping[str, Any]) -> None:
    """Raise ConfigError where this training cannot be probed."""
    option, task = f"--train-with {trainer.name} --probe", session.config.task
    if not hasattr(trainer, "why_no_probe"):
        able = [
            n for n, other in session.plugins.trainers.items() if hasattr(other, "why_no_probe")
        ]
        valid = ", ".join(sorted(able)) or "no trainer here"
        raise ConfigError(f"{option}: it does not train on parts of the rows; valid: {valid}")
    if reason := trainer.why_no_probe(settings):
        raise ConfigError(f"{option}: {reason}")
    if task not in TASKS:
        raise ConfigError(f"{option} measures accuracy: task = {task!r}; valid: {', '.join(TASKS)}")
    session.splits.get("validation")  # raises ConfigError, which says how to name the file
    if (n := len(session.splits.get("train"))) < FEWEST_ROWS:
        needed = f"a curve takes {FEWEST_ROWS} training rows"
        raise ConfigError(f"{option}: {needed}, {session.splits.paths['train']} has {n}")


def measure_curve(gate: Gate, decision: GateDecision, plan: Plan, whole: Run) -> int:
    """Train on parts of the rows, judge the runs, and print how many rows the limit takes.

    The `whole` run is judged with them where it is finished. What was done before is not done
    again. Returns the exit status.
    """
    session, points = gate.session, list[Point]()
    limit, rule = session.config.limits.accuracy, session.config.label_rule
    runs, n, validation = part_runs(gate, decision, plan)
    units = len(connected(len(validation), rows_together(validation)))
    for rows, run in [*runs.items(), *([(n, whole)] if whole.finished else [])]:
        if (answers := validation_answers(run)) is None:
            session.say("probe", f"learns {rows:,} of {n:,} rows")
            if code := train_in_child(run, PROBE_OPTION):
                again = "the same command goes on"
                session.say("probe", f"{run.id} did not finish (exit {code}); {again}", good=False)
                return code
            if (answers := validation_answers(run)) is None:
                raise ConfigError("not all validation rows were answered: run it again")
        if run is not whole:
            for folder in filter(lambda path: path.is_dir(), run.folder.iterdir()):
                shutil.rmtree(folder)  # the answers are what is needed of a model
        wrong = [p.row for p in answers if not rule.right(p)]
        share = f"{len(wrong):,} of {counted(len(validation), 'validation row')} wrong"
        session.say("probe", f"{rows:,} of {n:,} rows: {share} ({len(wrong) / len(answers):.1%})")
        points.append(Point(rows, len(wrong) * units / len(validation), units))
    wanted = format_limit(limit, True)
    try:
        needed = rows_needed_for(points, 1 - float(limit))
    except Unmeasurable as error:
        session.say("curve", f"how many rows {wanted} takes cannot be said: {error}")
    else:
        less = 0 if needed.high <= n else n
        likely, low, high = (rounded(max(rows - less, 0)) for rows in needed[:3])
        text = f"{wanted} takes about {likely} rows{' more' if less else ''} ({low} to {high},"
        session.say("curve", f"{text} 95 % sure){'' if less else f'; {n:,} are there'}")
        if needed.goes_on:
            floor = f"they may as well never fall below {format_limit(1 - float(limit), True)}"
            session.say("", f"if errors go on falling as they did; by these sizes {floor}")
    labels = Counter(label for row in wrong for label in validation[row].labels)
    if worst := ", ".join(f"{label} {k:,}" for label, k in labels.most_common(3)):
        session.say("", f"most of the {len(wrong):,} wrong at {rows:,} rows: {worst}")
    session.say("next", f"pytest {session.config.suites.data} --train-with {plan.trainer}")
    return 0


def part_runs(
    gate: Gate, decision: GateDecision, plan: Plan
) -> tuple[dict[int, Run], int, Dataset]:
    """Return the runs on parts of the rows by size, the number of all rows, and the validation set.

    A finished run of the same rows and settings is the same run.
    """
    state, reading = gate.session.state.probe, gate.session.config.reading
    assert plan.validation is not None
    try:
        lines, train = read_complete(plan.train, reading, plan.columns)
        held_out, validation = read_complete(plan.validation, reading, plan.columns)
    except SplitError as error:
        raise ConfigError(f"--probe: {error}") from None
    parts, runs = nested_parts(train, plan.seed), dict[int, Run]()
    sizes = [*map(len, parts), len(train)]
    if any(larger * 3 < smaller * 4 for smaller, larger in pairwise(sizes)):
        raise ConfigError(f"--probe: groups too large to halve: {sizes} rows; see data.group_by")
    for rows in parts:
        learnt = state.store_snapshot(b"\n".join([*(lines[row] for row in rows), b""]))
        judged = state.store_snapshot(b"\n".join([*held_out, b""]))
        part = replace(plan, train=learnt, validation=judged, test=None, columns={})
        run = runs[len(rows)] = Run(state, run_id(part))
        if not run.finished:
            digests = {"train": learnt.stem, "validation": judged.stem}
            gate.start_run(run, part, replace(decision, digests=digests))
    return runs, len(train), validation


def nested_parts(train: Dataset, seed: int) -> list[list[int]]:
    """Return the rows of an eighth, a quarter and a half, each within the next.

    Rows of a group or conversation stay together, and each label has its share.
    """
    labels, groups = strata_of(train, "label"), connected(len(train), rows_together(train))
    parts = list[list[int]]()
    for _ in range(3):
        kept = stratified_group_split(labels, groups, HALVES, seed)["kept"]
        groups = [group for group in groups if group[0] in {*kept}]
        parts.insert(0, sorted(kept))
    return parts


def validation_answers(run: Run) -> Predictions | None:
    """Return the answers of a run to its validation set; None unless all are there."""
    if not run.finished:
        return None
    rows, digest = run.data("validation"), run.model_of()[1]
    answers = cached_predictions(run.spec, digest, rows, run.state)
    return None if answers is None or answers.errors else answers
