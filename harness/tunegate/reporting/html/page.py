"""The values that the template of a report shows: formatted text and positions in drawings.

A part with nothing to show is a sentence that says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .charts import LossChart, ScoreBar

Tone = Literal["good", "bad", "plain"]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The top of the report: whether the run is promoted, why or why not, warnings, key facts."""

    tone: Tone
    headline: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    facts: Pairs


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One judged score; `outcome` says whether it held its limit."""

    name: str
    value: str
    interval: str
    limit: str
    n: str
    errors: str
    tone: Tone
    outcome: str
    signature: str
    test: str
    hints: tuple[str, ...]
    bar: ScoreBar | None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model on all test rows: how many of its answers were right."""

    role: str
    model: str
    right: str
    share: str
    interval: str
    errors: str
    bar: ScoreBar | None


@dataclass(frozen=True, slots=True)
class Scores:
    """The results of one session of the model suite."""

    intro: str
    rows: tuple[ScoreRow, ...]
    not_applicable: tuple[str, ...]
    models: tuple[ModelRow, ...]
    not_passed: tuple[tuple[str, str, str], ...]  # test, status, what did not hold
    more: str  # how many more of `not_passed` there are
    tables: tuple[tuple[str, list[list[str]]], ...]  # heading and rows, the first one the head
    details: Pairs
    tests: Pairs  # by file
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Misses:
    """The first wrong answers, and how many there are."""

    rows: tuple[tuple[str, str, str, str], ...]  # line, kind, evidence, the model's reasoning
    total: str
    more: str


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One test of the data suite: its result on each split."""

    file: str
    test: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """The data suite behind whose gate the run was trained."""

    intro: str
    splits: tuple[str, ...]
    rows: tuple[CheckRow, ...]
    hints: tuple[tuple[str, tuple[str, ...]], ...]  # by check
    accepted: tuple[tuple[str, ...], ...]  # id, check, kind, where, evidence, why, who
    removed: tuple[str, ...]
    limits: Pairs
    unset: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Training:
    """Loss curves, figures and settings of the training."""

    intro: str
    charts: tuple[LossChart, ...] | str
    loss_unit: str  # a loss is the mean over these: "token", or "pair" (of replies)
    kept_epoch: str
    figures: Pairs
    settings: Pairs


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain of digests; `holds` is None where it cannot be verified here."""

    name: str
    digest: str
    holds: bool | None
    explanation: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report."""

    kind: str  # "run", or "evaluation" of a model without one
    run: str
    model: str
    made: str
    verdict: Verdict
    registry: tuple[tuple[str, ...], ...] | str  # when, action, alias, run, who, why
    scores: Scores | str
    misses: Misses | str
    suite: Suite | str
    training: Training | str
    chain: tuple[Link, ...]
    versions: Pairs
