"""What a report is made of, read from the run, its scorecards, the registry and the cache."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config.data_files import find_data_files
from ...config.schema import Config, load
from ...data.dataset import Dataset
from ...errors import ConfigError
from ...models.predict import cached_predictions
from ...results.prediction import Predictions
from ...storage import run as runs
from ...storage.registry import Registry, RegistryBroken, RegistryEntry, promotions_in_force
from ...storage.run import Run, RunNotFound
from ...storage.state_dir import StateDir
from ...utils.timestamps import time_key

Json = dict[str, Any]
ENTRY_KEYS = ("action", "alias", "who", "when")  # of the registry
# What a report cannot do without, by file. Whether it is what was sealed is said in the chain.
RECORD_KEYS = {"model", "digest", "figures"}
RECEIPT_KEYS = {"tests", "data", "limits", "made", "removed", "versions"}
SCORECARD_KEYS = {
    *("scores", "test", "gate", "model_digest", "made", "inventory", "removed"),
    *("predictions", "baseline", "incumbent"),
}


class CachedStateDir(StateDir):
    """The state tree, each snapshot parsed once: half of the links of the chain ask for one."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._datasets: dict[str, Dataset] = {}

    def read_snapshot(
        self, digest: str, split: str = "", columns: Mapping[str, str] | None = None
    ) -> Dataset:
        """Read a snapshot, or return what was read of it; raises ValueError as State does."""
        key = repr((digest, split, columns))
        if key not in self._datasets:
            self._datasets[key] = super().read_snapshot(digest, split, columns)
        return self._datasets[key]


@dataclass(frozen=True, slots=True)
class RunFiles:
    """All there is about a run, as it stands in the files: `chain` says what of it verifies.

    `card` is the scorecard that is reported on, `cards` are all of them, by path.
    """

    root: Path
    run: Run
    record: Json
    receipt: Json | None
    card: Json | None
    cards: dict[Path, Json]
    entries: list[RegistryEntry]
    registry_error: str  # why the registry cannot be believed; "" where it can
    config: Config
    test: Dataset | None
    predictions: Predictions | None

    def name_of_model(self, model_digest: str) -> str:
        """Return which of the run's models has this digest: `model`, or a checkpoint's name."""
        checkpoints: Json = self.record.get("checkpoints", {})
        names = {checkpoint["digest"]: name for name, checkpoint in checkpoints.items()}
        return "model" if model_digest == self.record["digest"] else names.get(model_digest, "")


def read_run(root: Path, name: str, scorecard: str = "") -> RunFiles:
    """Read everything about a run (`latest`, an id or its beginning).

    `scorecard` is the beginning of the digest of one; without it the newest is taken. Raises
    ConfigError where there is no such run or scorecard, or where a file cannot be read.
    """
    run, config = find_run(root, name), load(root)
    state = run.state
    record, receipt = _read_json(run.folder / "run.json", RECORD_KEYS), run.folder / "receipt.json"
    cards = _read_scorecards(run)
    card = _choose_scorecard(cards, scorecard, run)
    entries, registry_error = _read_registry(root)
    test = _test_data(config, run, card)
    return RunFiles(
        root, run, record, _read_json(receipt, RECEIPT_KEYS) if receipt.is_file() else None, card, cards,
        entries, registry_error, config, test, _cached_predictions(record, card, test, state),
    )  # fmt: skip


def find_run(root: Path, name: str) -> Run:
    """Return a run by its name (`latest`, an id or its beginning); raises ConfigError."""
    try:
        return runs.find_finished(CachedStateDir(root), name.removeprefix("run:"))
    except RunNotFound as error:
        raise ConfigError(str(error)) from None


def _read_json(path: Path, required_keys: set[str]) -> Json:
    """Read a file as it stands, its seal set aside; raises ConfigError for what is no such file."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        value = None
    if not isinstance(value, dict) or not required_keys <= value.keys():
        raise ConfigError(f"{path} is not what tunegate wrote there: it cannot be read")
    return {key: v for key, v in value.items() if key != "seal"}


def _read_scorecards(run: Run) -> dict[Path, Json]:
    """Return the scorecards by path, the newest last."""
    cards = {
        path: _read_json(path, SCORECARD_KEYS)
        for path in (run.folder / "scorecards").glob("*.json")
    }
    return {
        path: cards[path] for path in sorted(cards, key=lambda p: time_key(p, cards[p]["made"]))
    }


def _choose_scorecard(cards: dict[Path, Json], digest_prefix: str, run: Run) -> Json | None:
    if not digest_prefix:
        return next(reversed(cards.values()), None)
    matches = [path for path in cards if path.stem.startswith(digest_prefix[: len(path.stem)])]
    if len(matches) != 1:
        available = ", ".join(path.stem for path in cards) or "none"
        raise ConfigError(
            f"{digest_prefix!r} fits {len(matches)} scorecards of run {run.id}; there are: {available}"
        )
    return cards[matches[0]]


def _read_registry(root: Path) -> tuple[list[RegistryEntry], str]:
    """Return the registry's lines, or none and why they cannot be believed."""
    registry = Registry(root)
    try:
        entries = registry.entries()
    except RegistryBroken as error:
        return [], str(error)
    doubt = _invalid_entry(entries)
    return ([], f"{registry.path}{doubt}") if doubt else (entries, "")


def _invalid_entry(entries: list[RegistryEntry]) -> str:
    """Say what in whole lines is not what tunegate writes; "" where all of it is."""
    for number, entry in enumerate(entries, start=1):
        if missing_keys := [key for key in ENTRY_KEYS if not isinstance(entry.get(key), str)]:
            return f", line {number}: it does not say {', '.join(missing_keys)}"
    try:
        for alias in {entry["alias"] for entry in entries}:
            promotions_in_force(entries, alias)
    except IndexError:
        return ": more is rolled back in it than was promoted"
    return ""


def _test_data(config: Config, run: Run, card: Json | None) -> Dataset | None:
    """Return the test data that was judged on: its snapshot, else the configured file."""
    digest = card["test"]["digest"] if card else None
    if not digest:
        return None
    try:
        if run.state.snapshot_path(digest).is_file():
            return run.state.read_snapshot(digest, "test", run.plan.columns)
        dataset = find_data_files(config, run.state.root, {}, run.state.root).get("test")
    except (ConfigError, OSError, ValueError):
        return None
    return dataset if dataset.digest == digest else None


def _cached_predictions(
    record: Json, card: Json | None, test: Dataset | None, state: StateDir
) -> Predictions | None:
    if card is None or test is None or not (state.folder / "answers.sqlite").is_file():
        return None
    return cached_predictions(str(record["model"]), card["model_digest"], test, state)
