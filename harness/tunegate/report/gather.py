"""What a report is made of, read from the run, its scorecards, the registry and the cache."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import runs
from ..config import Config, load
from ..dataset import Dataset
from ..files import age
from ..predict import recall
from ..predictions import Predictions
from ..project import ConfigError
from ..registry import Entry, Registry, RegistryBroken, standing
from ..runs import Run, RunUnknown
from ..splits import locate
from ..state import State

Json = dict[str, Any]
LINE = ("action", "alias", "who", "when")  # of the registry
# What a report cannot do without, by file. Whether it is what was sealed is said in the chain.
RECORD = {"model", "digest", "figures"}
RECEIPT = {"tests", "data", "limits", "made", "removed", "versions"}
CARD = {
    *("scores", "test", "gate", "model_digest", "made", "inventory", "removed"),
    *("predictions", "baseline", "incumbent"),
}


class ReadOnce(State):
    """The state tree, each snapshot parsed once: half of the links of the chain ask for one."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._read: dict[str, Dataset] = {}

    def snapshot(
        self, digest: str, split: str = "", columns: Mapping[str, str] | None = None
    ) -> Dataset:
        """Read a snapshot, or return what was read of it; raises ValueError as State does."""
        asked = repr((digest, split, columns))
        if asked not in self._read:
            self._read[asked] = super().snapshot(digest, split, columns)
        return self._read[asked]


@dataclass(frozen=True, slots=True)
class Found:
    """All there is about a run, as it stands in the files: `chain` says what of it verifies.

    `card` is the scorecard that is reported on, `cards` are all of them, by path.
    """

    root: Path
    run: Run
    record: Json
    receipt: Json | None
    card: Json | None
    cards: dict[Path, Json]
    entries: list[Entry]
    broken: str  # why the registry cannot be believed; "" where it can
    config: Config
    test: Dataset | None
    predictions: Predictions | None

    def of(self, model_digest: str) -> str:
        """Return which of the run's models has this digest: `model`, or a checkpoint's name."""
        kept: Json = self.record.get("checkpoints", {})
        names = {one["digest"]: name for name, one in kept.items()}
        return "model" if model_digest == self.record["digest"] else names.get(model_digest, "")


def gather(root: Path, name: str, scorecard: str = "") -> Found:
    """Read everything about a run (`latest`, an id or its beginning).

    `scorecard` is the beginning of the digest of one; without it the newest is taken. Raises
    ConfigError where there is no such run or scorecard, or where a file cannot be read.
    """
    run, config = run_of(root, name), load(root)
    state = run.state
    record, receipt = _read(run.folder / "run.json", RECORD), run.folder / "receipt.json"
    cards = _cards(run)
    card = _chosen(cards, scorecard, run)
    entries, broken = _entries(root)
    test = _test(config, run, card)
    return Found(
        root, run, record, _read(receipt, RECEIPT) if receipt.is_file() else None, card, cards,
        entries, broken, config, test, _predictions(record, card, test, state),
    )  # fmt: skip


def run_of(root: Path, name: str) -> Run:
    """Return a run by its name (`latest`, an id or its beginning); raises ConfigError."""
    try:
        return runs.find(ReadOnce(root), name.removeprefix("run:"))
    except RunUnknown as error:
        raise ConfigError(str(error)) from None


def _read(path: Path, needed: set[str]) -> Json:
    """Read a file as it stands, its seal set aside; raises ConfigError for what is no such file."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        value = None
    if not isinstance(value, dict) or not needed <= value.keys():
        raise ConfigError(f"{path} is not what tunegate wrote there: it cannot be read")
    return {key: v for key, v in value.items() if key != "seal"}


def _cards(run: Run) -> dict[Path, Json]:
    """Return the scorecards by path, the newest last."""
    cards = {path: _read(path, CARD) for path in (run.folder / "scorecards").glob("*.json")}
    return {path: cards[path] for path in sorted(cards, key=lambda p: age(p, cards[p]["made"]))}


def _chosen(cards: dict[Path, Json], wanted: str, run: Run) -> Json | None:
    if not wanted:
        return next(reversed(cards.values()), None)
    fits = [path for path in cards if path.stem.startswith(wanted[: len(path.stem)])]
    if len(fits) != 1:
        there = ", ".join(path.stem for path in cards) or "none"
        raise ConfigError(
            f"{wanted!r} fits {len(fits)} scorecards of run {run.id}; there are: {there}"
        )
    return cards[fits[0]]


def _entries(root: Path) -> tuple[list[Entry], str]:
    """Return the registry's lines, or none and why they cannot be believed."""
    registry = Registry(root)
    try:
        entries = registry.entries()
    except RegistryBroken as error:
        return [], str(error)
    doubt = _doubt(entries)
    return ([], f"{registry.path}{doubt}") if doubt else (entries, "")


def _doubt(entries: list[Entry]) -> str:
    """Say what in whole lines is not what tunegate writes; "" where all of it is."""
    for number, entry in enumerate(entries, start=1):
        if strange := [key for key in LINE if not isinstance(entry.get(key), str)]:
            return f", line {number}: it does not say {', '.join(strange)}"
    try:
        for alias in {entry["alias"] for entry in entries}:
            standing(entries, alias)
    except IndexError:
        return ": more is rolled back in it than was promoted"
    return ""


def _test(config: Config, run: Run, card: Json | None) -> Dataset | None:
    """Return the test data that was judged on: its snapshot, else the configured file."""
    digest = card["test"]["digest"] if card else None
    if not digest:
        return None
    try:
        if run.state.snapshot_path(digest).is_file():
            return run.state.snapshot(digest, "test", run.plan.columns)
        found = locate(config, run.state.root, {}, run.state.root).get("test")
    except (ConfigError, OSError, ValueError):
        return None
    return found if found.digest == digest else None


def _predictions(
    record: Json, card: Json | None, test: Dataset | None, state: State
) -> Predictions | None:
    if card is None or test is None or not (state.folder / "answers.sqlite").is_file():
        return None
    return recall(str(record["model"]), card["model_digest"], test, state)
