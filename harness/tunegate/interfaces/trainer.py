"""The interface of a trainer, and the values that it takes and returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a run cannot start, in one line: what is wrong, where, and what to do."""

    what: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a training is made of; the run id is a digest of it."""

    trainer: str  # its name
    # Paths of snapshots, named after their digest: the bytes that passed. Read them as
    # `Dataset.read(plan.train, columns=plan.columns)`.
    train: Path
    validation: Path | None
    test: Path | None
    config: Mapping[str, Any]  # the trainer's section, with all defaults filled in
    base: str  # the model spec of the baseline
    base_digest: str
    seed: int
    columns: Mapping[str, str] = field(default_factory=dict)  # of CSV or Parquet files, by field
    incidental: Sequence[str] = ()  # keys of `config` that change nothing in what is trained
    # The folder of the project, from which relative paths in `config` start, by default the working
    # directory. It is not part of the run id, and not stored in the run.
    root: Path = field(default_factory=Path)
    # Keys of `config` that change only how the model answers: their values in the run id.
    decoding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model: a spec that `--model` takes, its digest, and figures of the training.

    `checkpoints` are the specs of earlier states by name, for `--model run:ID@NAME`.
    """

    model: str
    digest: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    checkpoints: Mapping[str, str] = field(default_factory=dict)


class TrainingFailed(Exception):
    """A training failed, for the reason in the message; the process exits with 70."""


@runtime_checkable
class Trainer(Protocol):
    """A trainer: registered by class through `pytest_tunegate_trainers`, made without arguments.

    A trainer may also have:

    - `incidental`: names of settings that change nothing in what is trained (prices, pauses); a
      training with other values of these has the same run id.
    - `neutral`: by setting, the value at which it changes nothing. It is left out of the run id,
      so that a new setting leaves the ids of older runs as they are.
    - `decoding`: by setting that changes only how the trained model answers, the value that stands
      in the run id.
    - `tokenization(config) -> TokenizationSpec`: how tokens are counted under resolved settings.
      Its `tokenizer` may be a folder in the project. Without it, the settings are read by their
      usual names (see `tunegate.tokenization.spec`).
    - `why_no_probe(config) -> str`: why `--probe` may not train it on parts of the rows, three
      times; "" where it may. Without it, it may not: a training can cost money.
    - `scorecard_written(plan, folder)`: called after a scorecard of one of its runs was written
      into the run's folder. An exception becomes one line, and changes no verdict.
    """

    name: str

    def resolve(self, config: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
        """Return the configuration with defaults filled in; raise ValueError naming a bad value.

        It holds `base` (a model spec, such as a folder) and `seed`. It is called at pytest's
        start-up, before any test, so it must not import heavy libraries.
        """

    def baseline(self, config: Mapping[str, Any]) -> str:
        """Return the model spec of the base model, with the decoding of the trained model."""

    def base_digest(self, config: Mapping[str, Any], root: Path) -> str:
        """Return the digest of the base model that `config` names."""

    def preflight(self, plan: Plan) -> list[Problem]:
        """Return what would make this training fail, before anything is spent."""

    def train(self, plan: Plan, folder: Path) -> Trained:
        """Train into the run's folder, in a child process; raise TrainingFailed."""
