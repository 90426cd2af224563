"""What a trainer and a model must look like to be plugged in, and the values they exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a run cannot start: what was wrong, where, and what to do; one line."""

    what: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a training is made of; the run id is a digest of it.

    `train` and `validation` are paths of content-addressed snapshots: the bytes that passed.
    Read them with `columns`: `Dataset.read(plan.train, columns=plan.columns)`. `config` is the
    trainer's section of the configuration, resolved, every default filled in. `root` is the folder
    of the project, which relative paths in `config` start from: where it lies is no part of what
    is trained, nor of the run id, and it is not kept in the run.
    """

    trainer: str
    train: Path
    validation: Path | None
    test: Path | None
    config: Mapping[str, Any]
    base: str  # the model spec of the baseline
    base_digest: str
    seed: int
    columns: Mapping[str, str] = field(default_factory=dict)  # of CSV or Parquet; else empty
    incidental: Sequence[str] = ()  # keys of `config` that change nothing in what is trained
    root: Path = field(default_factory=Path)  # the working directory where nobody says


@dataclass(frozen=True, slots=True)
class Trained:
    """What a trainer hands back: a model spec that `--model` takes, its digest, and figures.

    `checkpoints` are specs of models on the way there, by name: `--model run:ID@NAME` takes them.
    """

    model: str
    digest: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    checkpoints: Mapping[str, str] = field(default_factory=dict)


class TrainingFailed(Exception):
    """A training that could not be finished, told in one message; the process exits with 70."""


@runtime_checkable
class Trainer(Protocol):
    """A trainer: registered by class through `pytest_tunegate_trainers`, made without arguments.

    It may have `incidental`, the names of settings that change nothing in what is trained (prices,
    pauses): the same training with other values of these is the same run. And `neutral`, values at
    which settings change nothing: one that came later leaves the ids of older runs as they were.
    And `tokenization(config) -> Recipe`, which says of resolved settings how their tokens are
    counted; without it `recipe.usual` reads them. Its `tokenizer` may be a folder in the project.
    """

    name: str

    def resolve(self, config: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
        """Return the configuration with defaults filled in; raise ValueError naming a bad value.

        It holds `base` (a model spec, such as a folder) and `seed`. Runs at pytest's start-up,
        before any test: no heavy import here.
        """

    def baseline(self, config: Mapping[str, Any]) -> str:
        """Return the model spec of the base alone, asked as the trained model will be."""

    def base_digest(self, config: Mapping[str, Any], root: Path) -> str:
        """Return the digest of the base model that `config` names."""

    def preflight(self, plan: Plan) -> list[Problem]:
        """Say what would make this training fail, before anything is spent."""

    def train(self, plan: Plan, folder: Path) -> Trained:
        """Train into the run's folder; called in a child process; raise TrainingFailed."""
