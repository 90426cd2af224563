"""A store: a folder that carries runs and snapshots between machines.

`sha256/ab/DIGEST` are its files, named after their bytes; `runs/ID.json`, written last, names those
of a run. A mounted bucket, DVC, git-lfs or rsync carry it further.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError
from ..utils.files import atomic_write, copy_verified, sha256_file, sha256_json
from .state_dir import Run, StateDir, only_one, read_unverified

SHARED_MODE = 0o640  # as far as the umask lets it: another user may run CI
LONG_AGO = "1970-01-01T00:00:00+00:00"  # the time of a receipt that cannot be read
SECRET = "give TUNEGATE_KEY the same value here and where it was trained"
AGAIN = "remove it, and run tunegate run pack where the run is"


class Use(NamedTuple):
    """What the receipt of a run says of a snapshot."""

    made: str
    run: str
    split: str
    path: str
    rows: int | None  # older receipts do not say
    columns: tuple[tuple[str, str], ...]
    accepted: int  # findings


class Store:
    """The files in a folder, which need not exist, and the state tree that they come from."""

    def __init__(self, state: StateDir, folder: Path) -> None:
        self.state, self.folder = state, folder

    def file(self, digest: str) -> Path:
        """Return the path of the file with this sha256; it need not exist."""
        return self.folder / "sha256" / digest[:2] / digest

    def runs(self) -> dict[str, dict[str, str]]:
        """Return the sha256 of each file of each run, by the path that it has in a state tree."""
        return {path.stem: _files_in(path) for path in self.folder.glob("runs/*.json")}

    def pack(self, run: Run) -> tuple[int, int]:
        """Copy what the store lacks of a run; return how many files it has, and were copied.

        These are its folder's but for reports, its snapshots and baselines, and what others packed
        of the same training. Raises SealBroken.
        """
        run.verify_receipt()
        own = [p for p in run.folder.rglob("*") if p.suffix not in (".lock", ".html")]
        own = [p for p in own if "/." not in f"/{p.relative_to(run.folder).as_posix()}"]
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
        manifest, receipt = self.folder / "runs" / f"{run.id}.json", f"runs/{run.id}/receipt.json"
        if (former := _files_in(manifest)).get(receipt) == files[receipt]:
            files = {p: d for p, d in former.items() if self.file(d).is_file()} | files
        text = json.dumps({"run": run.id, "files": files}, indent=1, sort_keys=True)
        atomic_write(manifest, text.encode(), mode=SHARED_MODE)
        return len(files), copied

    def unpack(self, name: str) -> tuple[Run, int]:
        """Copy what this machine lacks of a run, its record last; return how many files that was.

        A snapshot that was purged stays so. Raises ConfigError, SealBroken, ValueError.
        """
        stored = self.runs()
        run = Run(self.state, only_one(name.removeprefix("run:"), stored, "packed run"))
        files, record, to_copy = stored[run.id], f"runs/{run.id}/run.json", list[str]()
        seals = f"runs/{run.id}/receipt.json", record
        if not files.keys() >= {*seals}:
            raise ConfigError(f"{self.folder / 'runs' / run.id}.json is damaged; {AGAIN}")
        for path, digest in files.items():
            target, source = self.state.folder / path, self.file(digest)
            if not re.fullmatch(rf"(runs/{run.id}|snapshots|baselines)(/(?!\.)[^/\\]+)+", path):
                raise ConfigError(f"{self.folder}: {path} is no file of run {run.id}")
            if not source.is_file() or (path in seals and sha256_file(source) != digest):
                if path in seals or not (target.exists() or path.startswith("snapshots/")):
                    raise ConfigError(f"{source} is missing or damaged; {AGAIN}")
            elif not target.exists():
                to_copy.append(path)
            elif sha256_file(target) != digest and not path.startswith("baselines/"):
                raise ConfigError(f"{target} is not the file that was packed: move it away first")
        for sealed in seals:  # a seal of elsewhere ends it here
            self.state.read_sealed(self.file(files[sealed]), SECRET)
        for path in sorted(to_copy, key=lambda path: path == record):
            source, target = self.file(files[path]), self.state.path(*path.split("/"))
            copy_verified(source, target, files[path], remedy=f"; {AGAIN}")
        return run, len(to_copy)

    def find(self, digest: str) -> Path | None:
        """Return the file of a snapshot in the state tree, or else in the store; None for none."""
        places = (self.state.snapshot_path(digest), self.file(digest))
        return next((path for path in places if path.is_file()), None)

    def open(self, name: str, what: str = "snapshot") -> tuple[Path, list[Use]]:
        """Return file and uses of the one snapshot whose digest begins so; raises ConfigError."""
        digest = only_one(name, uses := self.uses(), what)
        if (path := self.find(digest)) is None:
            raise ConfigError(f"snapshot {digest[:12]} was purged: receipts alone name it")
        return path, uses[digest]

    def uses(self) -> dict[str, list[Use]]:
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


def _files_in(manifest: Path) -> dict[str, str]:
    """Return the sha256 of each file that a manifest names; {} where it is none or is damaged."""
    files = read_unverified(manifest).get("files")
    listed: dict[str, str] = files if isinstance(files, dict) else {}
    return listed if all(re.fullmatch("[0-9a-f]{64}", str(d)) for d in listed.values()) else {}
