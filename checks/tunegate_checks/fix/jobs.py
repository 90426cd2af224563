"""Which files are read and written, in which order: training first, since it keeps its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.columns import is_table
from tunegate.config import Config
from tunegate.dataset import SPLITS, Dataset
from tunegate.project import ConfigError
from tunegate.splits import find_data_files


@dataclass(frozen=True)
class Job:
    """One file to fix, and where its result goes."""

    path: Path
    out: Path
    split: str = ""

    def files(self, suffix: str = ".jsonl") -> dict[str, Path]:
        """Return the three files of a result; `suffix` is that of what is set aside."""
        with_suffix = self.out.with_suffix
        return {
            "data": self.out,
            "diff": with_suffix(".fix.csv"),
            "aside": with_suffix(f".aside{suffix}"),
        }


def jobs_of_project(config: Config, root: Path, folder: Path) -> list[Job]:
    """Return the configured splits in the order in which they must be fixed.

    Raises ConfigError where none is configured, or `folder` is a file.
    """
    if folder.is_file():
        raise ConfigError(f"{folder} is a file; give a folder, or name the one file to fix")
    paths = find_data_files(config, root, {}, root).paths
    if not paths:
        raise ConfigError(f"{root} configures no data; set data.train, or name a file to fix")
    names = {split: f"{path.stem}.jsonl" for split, path in paths.items()}
    if len(set(names.values())) < len(names):
        names = {split: f"{split}.jsonl" for split in paths}
    return [Job(path, folder / names[split], split) for split, path in paths.items()]


def jobs_of_file(path: Path, out: Path, split: str) -> list[Job]:
    """Return the job of one file; in an `out` that is a folder it keeps its name."""
    folder = out.is_dir() or not out.suffix
    return [Job(path, out / f"{path.stem}.jsonl" if folder else out, split)]


def split_of(path: Path, config: Config | None, root: Path | None) -> str:
    """Return which split a file is, by the configuration or else by its name; "" for none."""
    for split in SPLITS:
        configured = getattr(config.data, split) if config else None
        if root and configured and (root / configured).resolve() == path.resolve():
            return split
    return path.stem if path.stem in SPLITS else ""


def check_files(jobs: Sequence[Job], against: Sequence[Path], force: bool) -> None:
    """Raise ConfigError where a file is missing, or one that is read or was there would be lost."""
    read = {path.resolve(): path for path in [*(job.path for job in jobs), *against]}
    for path in read.values():
        if not path.is_file():
            raise ConfigError(f"{path} is not a file")
    rejected_files = [job.files(job.path.suffix)["aside"] for job in jobs]
    written = dict.fromkeys(
        [*(file for job in jobs for file in job.files().values()), *rejected_files]
    )
    for file in written:
        if file.resolve() in read:
            raise ConfigError(f"{file} is read here, and never written over; choose another -o")
    existing = [str(file) for file in written if file.exists()]
    if existing and not force:
        raise ConfigError(f"{', '.join(existing)}: already there; --force replaces")


def check_split_order(
    jobs: Sequence[Job], against: Sequence[tuple[Path, str]], is_project: bool
) -> None:
    """Raise ConfigError where a split would lose rows to a later one, or to itself."""
    if is_project and against:
        raise ConfigError("--against goes with a FILE: the splits are held against each other")
    for job, (path, split) in ((job, other) for job in jobs for other in against):
        if path.resolve() == job.path.resolve():
            raise ConfigError(f"{path} against itself: no row would be left")
        if job.split and split and SPLITS.index(job.split) < SPLITS.index(split):
            raise ConfigError(
                f"{job.path} is the {job.split} split and {path} the {split} split: rows leave the "
                f"later one, never the earlier; fix {path} --against {job.path}"
            )


def read_reference(path: Path, split: str, columns: Mapping[str, str]) -> Dataset:
    """Read a split that keeps its rows; raises ValueError where a leak could hide in a bad row."""
    dataset = Dataset.read(path, split, columns if is_table(path, bool(columns)) else None)
    bad = [p for p in dataset.problems if not p.hint]
    if bad:
        location = f"line {bad[0].line}" if bad[0].line else "it"
        raise ValueError(
            f"{path}: {location} cannot be read ({bad[0].evidence}); fix this file first"
        )
    return dataset
