"""A run: one training, from the receipt that allowed it to the model that came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..errors import ConfigError
from ..interfaces.trainer import Plan, Trained
from ..utils.atomic import atomic_write
from ..utils.hashing import sha256_json
from ..utils.timestamps import time_key, timestamp
from . import seal
from .seal import SealBroken, secret_key
from .state_dir import StateDir


class RunNotFound(Exception):
    """No finished run by that name; the message lists those there are."""


def run_id(plan: Plan) -> str:
    """Return the digest of what makes a run that run: data, configuration, base and seed.

    Twelve hexadecimal digits (48 bits): the same command finds the same run.
    """
    parts = {
        "train": plan.train.stem,  # a snapshot is named after its digest
        "validation": plan.validation.stem if plan.validation else None,
        "trainer": plan.trainer,
        "config": {k: v for k, v in plan.config.items() if k not in plan.incidental},
        "base": plan.base_digest,
        "seed": plan.seed,
    }
    if plan.columns:  # only then: a run on JSON keeps the id it had before there were columns
        parts["columns"] = dict(plan.columns)
    return sha256_json(parts)[:12]


class Run:
    """The folder of one run; without `run.json` it is unfinished, and never a candidate."""

    def __init__(self, state: StateDir, name: str) -> None:
        self.state, self.id = state, name
        self.folder = state.runs / name

    def write_intent(self, plan: Plan, plugins: list[Path]) -> None:
        """Write down what is going to be done, before it is: `intent.json` and `config.json`."""
        self.state.path("runs", self.id, "intent.json")
        told = asdict(plan)
        del told["root"]  # whoever reads the plan back stands in a project, perhaps another copy
        intent = {k: str(v) if isinstance(v, Path) else v for k, v in told.items()}
        self._write("intent.json", {**intent, "plugins": [str(p) for p in plugins]})
        self._write("config.json", dict(plan.config))

    def write_record(
        self, trained: Trained, baseline: Mapping[str, Any] | None, digests: Mapping[str, str]
    ) -> None:
        """Write `run.json`, last of all: from now on the run is a candidate.

        `digests` are those of the checkpoints, by name.
        """
        record = {**asdict(trained), "run": self.id, "baseline": baseline, "made": timestamp()}
        checkpoints = {
            n: {"model": m, "digest": digests[n]} for n, m in trained.checkpoints.items()
        }
        record["checkpoints"] = checkpoints
        record["receipt"] = sha256_json(self.receipt)
        seal.write_sealed(self.folder / "run.json", record, secret_key(self.state))

    def _write(self, name: str, value: Any) -> None:
        text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
        atomic_write(self.folder / name, text.encode() + b"\n", mode=0o600)

    def _read(self, name: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.folder / name).read_bytes())
        return value

    @property
    def finished(self) -> bool:
        """Whether the training came to its end."""
        return (self.folder / "run.json").is_file()

    @cached_property
    def intent(self) -> dict[str, Any]:
        """What the run set out to do."""
        return self._read("intent.json")

    @property
    def plan(self) -> Plan:
        """The plan, as it was when the gate opened, in the project that the run stands in now."""
        values = {k: v for k, v in self.intent.items() if k != "plugins"}
        for split in ("train", "validation", "test"):
            values[split] = Path(values[split]) if values[split] else None
        return Plan(**values, root=self.state.root)

    @property
    def attestation(self) -> str:
        """On whose word it was trained on these bytes, elsewhere; "" where we trained it here."""
        return str(self.record["figures"].get("word", ""))

    @cached_property
    def record(self) -> dict[str, Any]:
        """What came of it, `run.json`, its seal verified; raises SealBroken."""
        return seal.read_sealed(self.folder / "run.json", secret_key(self.state))

    @property
    def age(self) -> tuple[datetime, int]:
        """A key that sorts finished runs, the newest last; no seal is verified for it.

        A run is as old as `made` of its `run.json` says. One from before there was `made`: as when
        it was brought in from elsewhere, else as its receipt says, else as the file is.
        """
        path = self.folder / "run.json"
        record = _as_it_stands(path)
        if "made" in record:
            return time_key(path, record["made"])
        figures = record.get("figures")
        brought = figures.get("imported") if isinstance(figures, dict) else None
        return time_key(path, brought, _as_it_stands(self.folder / "receipt.json").get("made"))

    @property
    def curves(self) -> list[dict[str, float]]:
        """The readings of `curves.jsonl`, which a trainer may write; a line cut short ends them."""
        return self._readings("curves.jsonl")

    @property
    def curves_after_kept(self) -> list[dict[str, float]]:
        """The readings after the weights that were kept, where a trainer went on from them."""
        return self._readings("curves-beyond.jsonl")

    def _readings(self, name: str) -> list[dict[str, float]]:
        path = self.folder / name
        readings: list[dict[str, float]] = []
        for line in path.read_text("utf-8").splitlines() if path.is_file() else []:
            try:
                readings.append(json.loads(line))
            except ValueError:
                break
        return readings

    def model_of(self, checkpoint: str = "") -> tuple[str, str]:
        """Return spec and digest of the model, or of a checkpoint; raises RunUnknown, SealBroken"""
        if not checkpoint:
            return str(self.record["model"]), str(self.record["digest"])
        checkpoints = self.record.get("checkpoints", {})
        if checkpoint not in checkpoints:
            available = ", ".join(checkpoints) or "none"
            raise RunNotFound(
                f"run {self.id} has no checkpoint {checkpoint!r}; it has: {available}"
            )
        return str(checkpoints[checkpoint]["model"]), str(checkpoints[checkpoint]["digest"])

    @property
    def receipt(self) -> dict[str, Any]:
        """The receipt, its seal verified; raises SealBroken."""
        return seal.read_sealed(self.folder / "receipt.json", secret_key(self.state))

    def verify(self) -> None:
        """Raise SealBroken unless a gate opened on exactly the bytes that this run holds."""
        self.verify_receipt()
        self.verify_plan()
        for split in ("train", "validation"):
            self.verify_data(split)

    def verify_receipt(self) -> None:
        """Raise SealBroken unless the receipt is this run's."""
        receipt = self.receipt
        if self.finished and self.record["receipt"] != sha256_json(receipt):
            raise SealBroken(f"{self.folder}: the receipt is not the one this run was trained on")
        if receipt["run"] != self.id:
            raise SealBroken(f"{self.folder}: the receipt is that of run {receipt['run']}")

    def verify_plan(self) -> None:
        """Raise SealBroken unless data, configuration, base and seed are those of the run's id."""
        if run_id(self.plan) != self.id:
            raise SealBroken(f"{self.folder / 'intent.json'} was changed since the gate opened")

    def verify_data(self, split: str) -> None:
        """Raise SealBroken unless the receipt is about this split, and its snapshot is whole."""
        path: Path | None = getattr(self.plan, split)
        digest = self.receipt["data"].get(split, {}).get("digest")
        if digest != (path and path.stem):
            raise SealBroken(f"{self.folder}: the receipt is not about this {split} data")
        if digest:
            self._verify_snapshot(split)

    def data(self, split: str) -> Dataset:
        """Read the snapshot of a split that the plan names; raises ValueError if it was changed."""
        path: Path = getattr(self.plan, split)
        return self.state.read_snapshot(path.stem, split, self.plan.columns)

    def _verify_snapshot(self, split: str) -> None:
        try:
            self.data(split)
        except (OSError, ValueError) as error:
            raise SealBroken(str(error)) from None

    def scorecard_path(self, name: str) -> Path:
        """Where a scorecard of this run stands."""
        return self.state.path("runs", self.id, "scorecards", f"{name}.json")


def find_finished(state: StateDir, name: str) -> Run:
    """Return the finished run called `name`: an id, the beginning of one, or `latest`.

    Raises RunUnknown naming the runs there are.
    """
    names = sorted(path.parent.name for path in state.runs.glob("*/run.json"))
    names.sort(key=lambda n: Run(state, n).age)
    if name == "latest" and names:
        return Run(state, names[-1])
    matches = [n for n in names if name and n.startswith(name)]
    if len(matches) == 1:
        return Run(state, matches[0])
    problem = f"{name!r} fits {len(matches)} runs" if matches else f"no finished run {name!r}"
    available = ", ".join(names) if names else "none yet; train one with --train-with"
    raise RunNotFound(f"{problem}; finished runs: {available}")


def _as_it_stands(path: Path) -> dict[str, Any]:
    """Return what a file holds, unverified; nothing where it cannot be read."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def find_started(state: StateDir, name: str) -> Run:
    """Find a run, finished or not, by its id or the beginning of one; raises ConfigError."""
    names = sorted(path.parent.name for path in state.runs.glob("*/intent.json"))
    matches = [n for n in names if name and n.startswith(name.removeprefix("run:"))]
    if len(matches) != 1:
        available = ", ".join(names) or "none yet"
        raise ConfigError(f"{name!r} fits {len(matches)} runs; there are: {available}")
    return Run(state, matches[0])
