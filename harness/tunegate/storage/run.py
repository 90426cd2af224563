"""A run is one training: the files of its folder, their verification, and finding it by name."""

import json
from collections.abc import Mapping, Sequence
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
from .state_dir import SealBroken, StateDir, read_unverified


class RunNotFound(ConfigError):
    """No run, or no checkpoint of a run, has this name; the message lists those there are."""


def run_id(plan: Plan) -> str:
    """Return the id of a run: 12 hex digits of the digest of data, configuration, base and seed."""
    settings = {k: v for k, v in plan.config.items() if k not in plan.incidental}
    parts = {
        "train": plan.train.stem,  # a snapshot is named after its digest
        "validation": plan.validation.stem if plan.validation else None,
        "trainer": plan.trainer,
        "config": {k: plan.decoding.get(k, v) for k, v in settings.items()},
        "base": plan.base_digest,
        "seed": plan.seed,
    }
    if plan.columns:  # runs on JSON keep the ids they had before there were columns
        parts["columns"] = dict(plan.columns)
    return sha256_json(parts)[:12]


class Run:
    """The folder of one run; without `run.json` it is unfinished, and never a candidate.

    Files, in the order they are written: `intent.json` and `config.json` (the plan), `receipt.json`
    (what passed, sealed), the trainer's own files, `run.json` (the model, sealed).
    """

    def __init__(self, state: StateDir, name: str) -> None:
        self.state, self.id = state, name
        self.folder = state.runs / name

    def write_intent(self, plan: Plan, plugins: list[Path]) -> None:
        """Write the plan, and which `plugins` register trainers and models, before training."""
        self.state.path("runs", self.id, "intent.json")  # makes the run's folder
        values = asdict(plan)
        del values["root"]  # a copy of the project has another one, and the same runs
        intent = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
        root = self.state.root.resolve()
        files = [p.relative_to(root) if p.is_relative_to(root) else p for p in plugins]
        self._write("intent.json", {**intent, "plugins": [file.as_posix() for file in files]})
        self._write("config.json", dict(plan.config))

    def write_record(
        self, trained: Trained, baseline: Mapping[str, Any] | None, digests: Mapping[str, str]
    ) -> None:
        """Write `run.json`, which makes its model a candidate; checkpoints have `digests`."""
        record = {**asdict(trained), "run": self.id, "baseline": baseline, "made": timestamp()}
        specs = trained.checkpoints.items()
        record["checkpoints"] = {n: {"model": spec, "digest": digests[n]} for n, spec in specs}
        record["receipt"] = sha256_json(self.receipt)
        self.state.write_sealed(self.folder / "run.json", record)

    def add_checkpoint(self, name: str, model: str, digest: str) -> None:
        """Record another model of a finished run."""
        self.add_to_record("checkpoints", name, {"model": model, "digest": digest})

    def add_to_record(self, table: str, name: str, entry: Mapping[str, Any]) -> None:
        """Put an entry into a table of `run.json`; the run stays as old as it was."""
        from filelock import FileLock

        with FileLock(self.folder / "run.lock"):
            record = self.state.read_sealed(self.folder / "run.json")
            record.setdefault(table, {})[name] = entry
            record.setdefault("made", self.age[0].isoformat(timespec="microseconds"))
            self.state.write_sealed(self.folder / "run.json", record)

    def _write(self, name: str, value: Any) -> None:
        text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
        atomic_write(self.folder / name, text.encode() + b"\n", mode=0o600)

    @property
    def spec(self) -> str:
        """What `--model` names it by."""
        return f"run:{self.id}"

    def __str__(self) -> str:
        return f"run {self.id}"

    @property
    def finished(self) -> bool:
        """Whether the training was completed and recorded."""
        return (self.folder / "run.json").is_file()

    @cached_property
    def intent(self) -> dict[str, Any]:
        """The plan as `intent.json` holds it, with `plugins`."""
        value: dict[str, Any] = json.loads((self.folder / "intent.json").read_bytes())
        return value

    @property
    def plugins(self) -> list[Path]:
        """The files that register trainers and models, in the project that holds the run now."""
        root, former = self.state.root.resolve(), Path(self.intent["train"]).parents[2]
        files = map(Path, self.intent["plugins"])  # older intents hold whole paths
        return [root / (f.relative_to(former) if f.is_relative_to(former) else f) for f in files]

    @property
    def plan(self) -> Plan:
        """The plan of when the gate opened, in the project and the state tree that hold it now."""
        values = {k: v for k, v in self.intent.items() if k != "plugins"}
        for split in ("train", "validation", "test"):
            digest = Path(values[split]).stem if values[split] else None
            values[split] = self.state.snapshot_path(digest) if digest else None
        return Plan(**values, root=self.state.root)

    @property
    def attestation(self) -> str:
        """Who vouches for a model that another machine trained; "" where tunegate trained it."""
        return str(self.record["figures"].get("word", ""))

    @cached_property
    def record(self) -> dict[str, Any]:
        """The content of `run.json`, its seal verified; raises SealBroken."""
        return self.state.read_sealed(self.folder / "run.json")

    @property
    def age(self) -> tuple[datetime, int]:
        """The time of a finished run, as a key that sorts the newest last; no seal is verified.

        It is `made` of `run.json`. Runs that older versions wrote have none: for them it is the
        time of their import, else `made` of the receipt, else the time of the file.
        """
        path = self.folder / "run.json"
        record = read_unverified(path)
        if "made" in record:
            return time_key(path, record["made"])
        figures = record.get("figures")
        imported = figures.get("imported") if isinstance(figures, dict) else None
        return time_key(path, imported, read_unverified(self.folder / "receipt.json").get("made"))

    def curves(self, *, after_kept: bool = False) -> list[dict[str, float]]:
        """Return the readings of a trainer, or those after the kept weights."""
        return read_curves(self.folder / ("curves-beyond.jsonl" if after_kept else "curves.jsonl"))

    def model_of(self, checkpoint: str = "") -> tuple[str, str]:
        """Return spec and digest of the model, or of a checkpoint; RunNotFound, SealBroken."""
        checkpoints = self.record.get("checkpoints", {})
        if checkpoint and checkpoint not in checkpoints:
            known = ", ".join(checkpoints) or "none"
            raise RunNotFound(f"run {self.id} has no checkpoint {checkpoint!r}; it has: {known}")
        made = checkpoints[checkpoint] if checkpoint else self.record
        return str(made["model"]), str(made["digest"])

    @property
    def receipt(self) -> dict[str, Any]:
        """The content of `receipt.json`, its seal verified; raises SealBroken."""
        return self.state.read_sealed(self.folder / "receipt.json")

    def write_test_receipt(self, receipt: Mapping[str, Any]) -> None:
        """Write the receipt of a test set that got a data gate of its own after the training."""
        path = self.test_receipt_path(receipt["data"]["test"]["digest"])
        self.state.path(*path.relative_to(self.state.folder).parts)  # makes the folder
        self.state.write_sealed(path, receipt)

    def test_receipt_path(self, digest: str) -> Path:
        """Return the path of the receipt of a test set; it need not exist."""
        return self.folder / "receipts" / f"{digest[:12]}.json"

    def test_receipts(self) -> dict[str, str]:
        """Return the test sets that a data gate of this run saw, by digest; raises SealBroken.

        The value is "" for that of the training, the first, and for others that of its receipt.
        """
        first = self.receipt["data"].get("test", {}).get("digest")
        receipts = {first: ""} if first else {}
        for path in sorted((self.folder / "receipts").glob("*.json")):
            receipt = self.state.read_sealed(path)
            if receipt["run"] == self.id:
                receipts.setdefault(receipt["data"]["test"]["digest"], sha256_json(receipt))
        return receipts

    def verify(self) -> None:
        """Raise SealBroken unless a gate opened on the plan and the data that this run has now."""
        self.verify_receipt()
        self.verify_plan()
        for split in ("train", "validation"):
            self.verify_data(split)

    def verify_receipt(self) -> None:
        """Raise SealBroken unless the receipt is about this run, and the one it was trained on."""
        receipt = self.receipt
        if self.finished and self.record["receipt"] != sha256_json(receipt):
            raise SealBroken(f"{self.folder}: the receipt is not the one this run was trained on")
        if receipt["run"] != self.id:
            raise SealBroken(f"{self.folder}: the receipt is that of run {receipt['run']}")
        # The id has neither the baseline nor the files that register trainers.
        if receipt.get("intent", sha256_json(self.intent)) != sha256_json(self.intent):
            raise SealBroken(f"{self.folder / 'intent.json'} was changed since the gate opened")

    def verify_plan(self) -> None:
        """Raise SealBroken unless data, configuration, base and seed give the run's id."""
        if run_id(self.plan) != self.id:
            raise SealBroken(f"{self.folder / 'intent.json'} was changed since the gate opened")

    def verify_data(self, split: str) -> None:
        """Raise SealBroken unless the receipt is about this split and its snapshot is unchanged."""
        path: Path | None = getattr(self.plan, split)
        digest = self.receipt["data"].get(split, {}).get("digest")
        if digest != (path and path.stem):
            raise SealBroken(f"{self.folder}: the receipt is not about this {split} data")
        if digest:
            try:
                self.data(split)
            except (OSError, ValueError) as error:
                raise SealBroken(str(error)) from None

    def data(self, split: str) -> Dataset:
        """Read the snapshot of a split that the plan names; raises ValueError if it was changed."""
        path: Path = getattr(self.plan, split)
        return self.state.read_snapshot(path.stem, split, self.plan.columns)

    def scorecard_path(self, name: str) -> Path:
        """Return the path of a scorecard of this run; its folder is made."""
        folder = self.folder.relative_to(self.state.folder)
        return self.state.path(*folder.parts, "scorecards", f"{name}.json")


def read_curves(path: Path) -> list[dict[str, float]]:
    """Return the readings in a file of loss curves; a line that a kill has cut short ends them."""
    readings: list[dict[str, float]] = []
    for line in path.read_text("utf-8").splitlines() if path.is_file() else []:
        try:
            readings.append(json.loads(line))
        except ValueError:
            break
    return readings


def find_finished(state: StateDir, name: str) -> Run:
    """Return the finished run of an id, the beginning of one, or `latest`; raises RunNotFound."""
    name = name.removeprefix("run:")
    ids = sorted(path.parent.name for path in state.runs.glob("*/run.json"))
    ids.sort(key=lambda id_: Run(state, id_).age)
    matches = ids[-1:] if name == "latest" else _ids_that_begin(ids, name)
    if len(matches) != 1:
        fits = f"{name!r} fits {len(matches)} runs" if matches else f"no finished run {name!r}"
        available = ", ".join(ids) or "none yet; train one with --train-with"
        raise RunNotFound(f"{fits}; finished runs: {available}")
    return Run(state, matches[0])


def find_started(state: StateDir, name: str) -> Run:
    """Return the run, finished or not, of an id or the beginning of one; raises RunNotFound."""
    ids = sorted(path.parent.name for path in state.runs.glob("*/intent.json"))
    matches = _ids_that_begin(ids, name.removeprefix("run:"))
    if len(matches) != 1:
        available = ", ".join(ids) or "none yet"
        raise RunNotFound(f"{name!r} fits {len(matches)} runs; there are: {available}")
    return Run(state, matches[0])


def _ids_that_begin(ids: Sequence[str], name: str) -> list[str]:
    """Return the ids that begin with the name; an empty name is none, though all begin with it."""
    return [id_ for id_ in ids if name and id_.startswith(name)]
