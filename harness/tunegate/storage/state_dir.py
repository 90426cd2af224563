"""The state tree `.tunegate/`: paths, snapshots of data, sealed files, and runs of one training."""

import hashlib
import hmac
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..errors import ConfigError
from ..interfaces.trainer import Plan, Trained
from ..utils.files import atomic_write, canonical_json, sha256_bytes, sha256_json
from ..utils.masking import KEY_VARIABLE
from ..utils.text import os_error_text
from ..utils.timestamps import time_key, timestamp


class SealBroken(ConfigError):
    """A file is missing, was not written by this state tree, or was changed since."""


class StateDir:
    """The folder `.tunegate` of a project, which can hold personal data.

    Only its user can read it (folders 0700, files 0600); a .gitignore in it keeps it out of git.
    Cached answers asked for before `answers_since`, in seconds since 1970, are not used.
    """

    answers_since = 0.0

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        self.root = root
        self.folder = folder or root / ".tunegate"

    def check(self) -> None:
        """Raise ConfigError where the folder can be neither used nor made."""
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            what = "links to no folder" if self.folder.is_symlink() else "is a file"
            raise ConfigError(f"{self.folder} {what}: remove it, or make it a folder")

    def path(self, *parts: str) -> Path:
        """Return a path below the folder; missing parent folders are made, mode 0700."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            atomic_write(ignore, b"# Made by tunegate; may hold personal data.\n*\n", mode=0o600)
        path = self.folder.joinpath(*parts)
        for parent in reversed([p for p in path.parents if not p.exists()]):
            parent.mkdir(mode=0o700, exist_ok=True)
        return path

    @property
    def runs(self) -> Path:
        """The folder that holds the folders of all runs; it need not exist."""
        return self.folder / "runs"

    @property
    def probe(self) -> "StateDir":
        """A state tree inside of this one, with a key of its own, for the runs of `--probe`."""
        return StateDir(self.root, self.folder / "probe")

    def snapshot_path(self, digest: str) -> Path:
        """Return the path of the snapshot with this sha256; it need not exist."""
        return self.folder / "snapshots" / f"{digest}.jsonl"

    def store_snapshot(self, data: bytes) -> Path:
        """Write bytes to a file named after their sha256, unless it is there; return its path."""
        path = self.path("snapshots", f"{sha256_bytes(data)}.jsonl")
        if not path.exists():
            atomic_write(path, data, mode=0o600)
        return path

    def read_snapshot(
        self, digest: str, split: str = "", columns: Mapping[str, str] | None = None
    ) -> Dataset:
        """Read a snapshot, a table by its `columns`; raises ValueError where it was changed."""
        return Dataset.read(self.snapshot_path(digest), split, columns)

    @property
    def key(self) -> bytes:
        """The 32 bytes that this state tree seals with: TUNEGATE_KEY's, or random ones."""
        return key_of(self.path("key"))

    def write_sealed(self, path: Path, body: Mapping[str, Any]) -> None:
        """Write a JSON file with its HMAC under the key `seal`, atomically, mode 0600."""
        sealed = {**body, "seal": seal_of(body, self.key)}
        text = json.dumps(sealed, indent=2, ensure_ascii=False, sort_keys=True)
        atomic_write(path, text.encode() + b"\n", mode=0o600)

    def read_sealed(self, path: Path, remedy: str = "") -> dict[str, Any]:
        """Return what `write_sealed` wrote; raises SealBroken with a `remedy`, or that of a run."""
        try:
            body: dict[str, Any] = json.loads(path.read_bytes())
            seal = body.pop("seal")
        except FileNotFoundError:
            raise SealBroken(f"{path} is missing: no gate opened for this run") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SealBroken(f"{path} was not written by tunegate") from None
        if not isinstance(seal, str) or not hmac.compare_digest(seal, seal_of(body, self.key)):
            anew = f"restore it, or remove {path.parent} and run the data suite again"
            remedy = remedy or f"{anew}; made elsewhere, it needs the same {KEY_VARIABLE} here"
            changed = "was not written by a gate of this state tree, or was changed since"
            raise SealBroken(f"{path} {changed}; {remedy}")
        return body

    def sign(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body with the HMAC of this state tree, and the name of the key of it."""
        named = {**body, "signed_by": sha256_bytes(self.key)[:12]}
        return {**named, "seal": seal_of(named, self.key)}

    def verify_signed(self, body: Mapping[str, Any]) -> None:
        """Raise SealBroken where this state tree signed the body and it was changed since."""
        path = self.folder / "key"
        if "signed_by" not in body or not (path.is_file() or KEY_VARIABLE in os.environ):
            return
        key = key_of(path)
        unsealed = {name: value for name, value in body.items() if name != "seal"}
        is_ours = body["signed_by"] == sha256_bytes(key)[:12]
        if is_ours and body.get("seal") != seal_of(unsealed, key):
            raise SealBroken("it is not as tunegate wrote it here: it was edited since")


def seal_of(body: Any, key: bytes) -> str:
    """Return the HMAC-SHA256 of the canonical JSON."""
    return hmac.new(key, canonical_json(body), hashlib.sha256).hexdigest()


def read_unverified(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file, its seal not verified; {} where it holds no object."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def key_of(path: Path) -> bytes:
    """Return the key in this file, made at first use, or in its place one made of TUNEGATE_KEY.

    The probes' is another one: their receipts, copied out of their folder, are worth nothing.
    """
    if secret := os.environ.get(KEY_VARIABLE, "").strip():
        if len(secret) < 32:
            short = f"{KEY_VARIABLE} has {len(secret)} characters, and needs at least 32"
            raise ConfigError(f"{short}: openssl rand -hex 32")
        return hmac.digest(secret.encode(), path.parent.name.encode(), "sha256")
    if not path.exists():
        from filelock import FileLock

        with FileLock(path.with_name("key.lock"), mode=0o600):
            if not path.exists():
                atomic_write(path, os.urandom(32), mode=0o600)
    return path.read_bytes()


class RunNotFound(ConfigError):
    """No run, checkpoint or snapshot has this name; the message lists those there are."""


def run_id(plan: Plan) -> str:
    """Return the id of a run: 12 hex digits of the digest of data, configuration, base and seed."""
    settings = {k: v for k, v in plan.config.items() if k not in plan.incidental}
    parts = {
        "train": plan.train.stem,  # a snapshot is named after its digest
        "validation": plan.validation.stem if plan.validation else None, "trainer": plan.trainer,
        "config": {k: plan.decoding.get(k, v) for k, v in settings.items()},
        "base": plan.base_digest, "seed": plan.seed,
    }  # fmt: skip
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

        It is `made` of `run.json`; for older runs that of import, of the receipt, of the file.
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
            self.data(split)

    def data(self, split: str) -> Dataset:
        """Read the snapshot of a split that the plan names; raises SealBroken if it was changed."""
        path: Path = getattr(self.plan, split)
        try:
            return self.state.read_snapshot(path.stem, split, self.plan.columns)
        except (OSError, ValueError) as error:
            raise SealBroken(os_error_text(error)) from None

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
    return [reading for reading in readings if isinstance(reading, dict)]


def find_finished(state: StateDir, name: str) -> Run:
    """Return the finished run of an id, the beginning of one, or `latest`; raises RunNotFound."""
    ids = [path.parent.name for path in state.runs.glob("*/run.json")]
    ids.sort(key=lambda id_: (Run(state, id_).age, id_))
    name = name.removeprefix("run:")
    name = ids[-1] if ids and name == "latest" else name
    return Run(state, only_one(name, ids, "finished run", "none yet; train one with --train-with"))


def find_started(state: StateDir, name: str) -> Run:
    """Return the run, finished or not, of an id or the beginning of one; raises RunNotFound."""
    ids = sorted(path.parent.name for path in state.runs.glob("*/intent.json"))
    return Run(state, only_one(name.removeprefix("run:"), ids))


def only_one(name: str, known: Collection[str], what: str = "run", none: str = "none yet") -> str:
    """Return the one id or digest that begins with the name; raises RunNotFound."""
    matches = [id_ for id_ in known if name and id_.startswith(name)]  # all begin with ""
    if len(matches) != 1:
        fits = f"{name!r} fits {len(matches)} {what}s" if matches else f"no {what} {name!r}"
        available = ", ".join(id_[:12] for id_ in known) or none
        raise RunNotFound(f"{fits}; {what}s: {available}")
    return matches[0]
