"""Reads the files that a report is made of: run, scorecards, registry, test data, answers."""

from dataclasses import dataclass
from pathlib import Path

from ...config.data_files import find_data_files
from ...config.schema import Config, load
from ...data.dataset import Dataset
from ...errors import ConfigError
from ...models import evaluation
from ...results.prediction import Predictions
from ...storage.registry import Registry, RegistryBroken, RegistryEntry
from ...storage.state_dir import Run, StateDir, only_one

# The keys that a report needs, by file. The chain of digests says whether the values are sealed.
RECORD_KEYS = {"model", "digest", "figures"}
RECEIPT_KEYS = {"tests", "data", "limits", "made", "removed", "versions"}


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The contents of all files about a run, or the scorecards of an evaluation, unverified."""

    root: Path
    run: Run
    record: evaluation.Json
    receipt: evaluation.Json | None
    card: evaluation.Json | None  # the one that is reported on
    cards: dict[Path, evaluation.Json]  # the newest last
    entries: list[RegistryEntry]
    registry_error: str  # why `entries` is empty where the registry is broken, else ""
    config: Config
    test: Dataset | None
    predictions: Predictions | None

    def name_of_model(self, model_digest: str) -> str:
        """Return which of the run's models has this digest: `model`, or a checkpoint's name."""
        checkpoints: evaluation.Json = self.record.get("checkpoints", {})
        names = {checkpoint["digest"]: name for name, checkpoint in checkpoints.items()}
        return "model" if model_digest == self.record["digest"] else names.get(model_digest, "")


def read_run(root: Path, name: str, scorecard: str = "") -> RunFiles:
    """Read the files of a run or an evaluation, and of a scorecard, or the newest; ConfigError."""
    run, config = evaluation.find_judged(StateDir(root), name), load(root)
    is_run, path = not isinstance(run, evaluation.Evaluation), run.folder / "receipt.json"
    record = evaluation.read_object(run.folder / "run.json", RECORD_KEYS) if is_run else run.record
    receipt = evaluation.read_object(path, RECEIPT_KEYS) if path.is_file() else None
    cards = evaluation.read_scorecards(run)
    card = next(reversed(cards.values()), None)
    if scorecard:
        by_name = {path.stem: card for path, card in cards.items()}
        card = by_name[only_one(scorecard[:12], by_name, "scorecard", "none of this run")]
    entries, registry_error = list[RegistryEntry](), ""
    try:
        entries = Registry(root).entries() if is_run else []
    except RegistryBroken as error:
        registry_error = str(error)
    test, predictions = read_test_data(config, run, card), None
    if card and test is not None:
        predictions = evaluation.kept_predictions(run, card, test)
    return RunFiles(
        root, run, record, receipt, card, cards, entries, registry_error, config, test, predictions
    )


def read_test_data(config: Config, run: Run, card: evaluation.Json | None) -> Dataset | None:
    """Return the test data that a scorecard names: the snapshot, the configured file, or None."""
    digest = card["test"]["digest"] if card else None
    if not digest:
        return None
    try:
        if not isinstance(run, evaluation.Evaluation) and run.state.snapshot_path(digest).is_file():
            return run.state.read_snapshot(digest, "test", run.plan.columns)
        dataset = find_data_files(config, run.state.root, {}, run.state.root).get("test")
    except (ConfigError, OSError, ValueError):
        return None
    return dataset if dataset.digest == digest else None
