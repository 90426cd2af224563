"""A store: a folder that carries runs and snapshots between machines.

`sha256/ab/DIGEST` are its files, named after their bytes; `runs/ID.json`, written last, names those
of a run. A mounted bucket, DVC, git-lfs or rsync carry it further.
"""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError
from ..utils.files import atomic_write, copy_verified, sha256_file, sha256_json
from .state_dir import Run, StateDir, only_one, read_unverified

SHARED_MODE = 0o640  # as far as the umask lets it: another user may run CI
LONG_AGO = "1970-01-01T00:00:00+00:00"  # the time of a receipt that cannot be read
SECRET = "give TUNEGATE_KEY the same value here and where it was trained"


class Use(NamedTuple):
    """What the receipt of a run says of a snapshot."""

    made: str
    run: str
    split: str
    path: str
    rows: int | None  # older receipts do not say
    columns: tuple[tuple[str, str], ...]
    accepted: int  # findings

    @property
    def time(self) -> float:
        """When the receipt was made, in seconds since 1970."""
        return datetime.fromisoformat(self.made).timestamp()


class Store:
    """The files in a folder, which need not exist, and the state tree that they come from."""

    def __init__(self, state: StateDir, folder: Path) -> None:
        self.state, self.folder = state, folder

    def file(self, digest: str) -> Path:
        """Return the path of the file with this sha256; it need not exist."""
        return self.folder / "sha256" / digest[:2] / digest

    def runs(self) -> dict[str, dict[str, str]]:
        """Return the sha256 of each file of each run, by the path that it has in a state tree."""
        manifests = {path.stem: read_unverified(path) for path in self.folder.glob("runs/*.json")}
        return {run: manifest.get("files", {}) for run, manifest in manifests.items()}

    def pack(self, run: Run) -> tuple[int, int]:
        """Copy what the store lacks of a run; return how many files it has, and were copied.

        These are its folder's but for reports, its snapshots and baselines. Raises SealBroken.
        """
        run.verify_receipt()
        own = [p for p in run.folder.rglob("[!.]*") if p.suffix not in (".lock", ".html")]
        own += map(self.state.snapshot_path, run.test_receipts())
        own += filter(None, (run.plan.train, run.plan.validation))
        own += self.state.folder.glob(f"baselines/{sha256_json(run.plan.base)[:12]}-*.json")
        files, copied = dict[str, str](), 0
        for path in filter(Path.is_file, own):
            digest = files[path.relative_to(self.state.folder).as_posix()] = sha256_file(path)
            target = self.file(digest)
            if not target.is_file() or target.stat().st_size != path.stat().st_size:
                copy_verified(path, target, digest, mode=SHARED_MODE)
                copied += 1
        text = json.dumps({"run": run.id, "files": files}, indent=1, sort_keys=True)
        atomic_write(self.folder / "runs" / f"{run.id}.json", text.encode(), mode=SHARED_MODE)
        return len(files), copied

    def unpack(self, name: str) -> tuple[Run, int]:
        """Copy what this machine lacks of a run, its record last; return how many files that was.

        A snapshot that was purged stays so. Raises ConfigError, SealBroken, ValueError.
        """
        stored = self.runs()
        run = Run(self.state, only_one(name.removeprefix("run:"), stored, "packed run"))
        files, record, to_copy = stored[run.id], f"runs/{run.id}/run.json", list[str]()
        for sealed in (f"runs/{run.id}/receipt.json", record):  # a seal of elsewhere ends it here
            self.state.read_sealed(self.file(files.get(sealed, "")), SECRET)
        for path, digest in files.items():
            target = self.state.folder / path
            if not re.fullmatch(rf"(runs/{run.id}|snapshots|baselines)(/(?!\.)[^/\\]+)+", path):
                raise ConfigError(f"{self.folder}: {path} is no file of run {run.id}")
            if not target.exists():
                is_purged = path.startswith("snapshots/") and not self.file(digest).exists()
                to_copy += [] if is_purged else [path]
            elif sha256_file(target) != digest and not path.startswith("baselines/"):
                raise ConfigError(f"{target} is not the file that was packed: move it away first")
        for path in sorted(to_copy, key=lambda path: path == record):
            copy_verified(self.file(files[path]), self.state.path(*path.split("/")), files[path])
        return run, len(to_copy)

    def find(self, digest: str) -> Path | None:
        """Return the file of a snapshot in the state tree, or else in the store; None for none."""
        places = (self.state.snapshot_path(digest), self.file(digest))
        return next((path for path in places if path.is_file()), None)

    def snapshots(self) -> dict[str, list[Use]]:
        """Return the uses of each snapshot by its digest, the first use first."""
        here = self.state.folder
        runs = {run: {p: self.file(d) for p, d in f.items()} for run, f in self.runs().items()}
        for path in self.state.runs.glob("*/receipt.json"):
            inside = (p.relative_to(here).as_posix() for p in path.parent.rglob("*.json"))
            runs[path.parent.name] = {name: here / name for name in inside}
        found = {path.stem: list[Use]() for path in here.glob("snapshots/*.jsonl")}
        for run, files in runs.items():
            intent = read_unverified(files.get(f"runs/{run}/intent.json", Path()))
            columns = tuple((intent.get("columns") or {}).items())
            for name in (name for name in files if "/receipt" in name):
                receipt = {"made": LONG_AGO, "data": {}, **read_unverified(files[name])}
                for split, data in receipt["data"].items():
                    where = [finding["where"] for finding in receipt.get("accepted", ())]
                    accepted = sum(place.startswith(split) for place in where)
                    about = (receipt["made"], run, split, data["path"], data.get("n"))
                    found.setdefault(data["digest"], []).append(Use(*about, columns, accepted))
        return {digest: sorted(uses, key=lambda use: use.made) for digest, uses in found.items()}
