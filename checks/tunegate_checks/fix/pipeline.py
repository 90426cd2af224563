"""From files to files: read all, fix training first, write all, and say what was done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.config.data_files import find_data_files, read_system_prompt
from tunegate.config.schema import Config
from tunegate.data.dataset import SPLITS, Dataset
from tunegate.data.tables import is_table
from tunegate.errors import ConfigError
from tunegate.utils.atomic import atomic_write_all

from ..text import text_fields
from .changes import STEPS, FileChanges
from .read import Source, read_source
from .redact import Placeholders, Redactor
from .report import changes_csv, next_command, summary_lines
from .steps import FixRules, run_steps

# [merged] Which files are read and written, in which order: training first, since it keeps its rows.


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


@dataclass(frozen=True)
class FixResult:
    """What became of the files of one call."""

    jobs: Sequence[Job]
    changes: Sequence[FileChanges]
    config: Config

    @property
    def has_unresolved(self) -> bool:
        """Whether something is left for a person."""
        return any(work.unresolved or work.rejected for work in self.changes)

    def lines(self) -> Iterator[str]:
        """Yield what the terminal shows."""
        for job, file_changes in zip(self.jobs, self.changes, strict=True):
            yield from summary_lines(file_changes, job.files(file_changes.source.suffix))
        splits = [(job.split or "train", job.out) for job in self.jobs]
        if self.config.data.columns and len(self.jobs) == 1:
            yield "next: fix the other splits too, since all are tables or none is; then"
        yield from next_command(splits, self.config.suites.data)


def fix_files(
    file: Path | None,
    out: Path,
    against: Sequence[Path] = (),
    steps: Collection[str] = STEPS,
    columns: Mapping[str, str] | None = None,
    config: Config | None = None,
    root: Path | None = None,
    force: bool = False,
) -> FixResult:
    """Fix one file, or without one the configured splits; write results, diffs, rows set aside.

    `against` are splits that keep their rows. `columns` maps those of tables, else the
    configuration does. Raises ConfigError or ValueError for what the user must change first,
    OSError where a file cannot be read or written; nothing is written then.
    """
    columns = columns or (dict(config.data.columns) if config else {})
    references = [(path, split_of(path, config, root)) for path in against]
    jobs = _make_jobs(file, out, config, root)
    check_files(jobs, against, force)
    check_split_order(jobs, references, file is None)
    if file and steps == ["leaks"] and not references:
        raise ConfigError("leaks: nothing to compare with; give --against TRAIN")
    others = [read_reference(path, split, columns) for path, split in references]
    sources = [read_source(job.path, columns) for job in jobs]
    rules = _make_rules(sources, others, config, root, steps)
    changes: list[FileChanges] = []
    for job, source in zip(jobs, sources, strict=True):
        changes.append(FileChanges(source, job.split, others))
        if "leaks" in steps and not others and job.split in SPLITS[1:]:
            changes[-1].add_file_change("leaks", "leaks were not looked for", "no --against")
        run_steps(changes[-1], rules, job.out)
        others = [*others, changes[-1].result(job.out)]
    _save_files(jobs, changes)
    return FixResult(jobs, changes, config or Config())


def _make_jobs(file: Path | None, out: Path, config: Config | None, root: Path | None) -> list[Job]:
    if file is not None:
        return jobs_of_file(file, out, split_of(file, config, root))
    if config is None or root is None:
        raise ConfigError("no tunegate.toml here or above: name the FILE to fix")
    return jobs_of_project(config, root, out)


def _make_rules(
    sources: Sequence[Source],
    others: Sequence[Dataset],
    config: Config | None,
    root: Path | None,
    steps: Collection[str],
) -> FixRules:
    limits = (config or Config()).limits
    fields = [row.fields for source in sources for row in source.rows]
    texts = text_fields.all_texts([*fields, *(dict(e.fields) for other in others for e in other)])
    return FixRules(
        Redactor(Placeholders(texts), limits.pii_ignore, limits.pii_allow),
        steps,
        task=config.task if config else "",
        prompt=read_system_prompt(config, root) if config and root else None,
        similarity=limits.similarity,
        ignore=limits.pii_ignore,
        allow=limits.pii_allow,
    )


def _save_files(jobs: Sequence[Job], changes: Sequence[FileChanges]) -> None:
    files: dict[Path, bytes | None] = {}
    private_files: set[Path] = set()
    for job, file_changes in zip(jobs, changes, strict=True):
        files_of_job = job.files(file_changes.source.suffix)
        files[files_of_job["aside"]] = (
            file_changes.rejected_bytes() if file_changes.rejected else None
        )
        files |= {
            files_of_job["diff"]: changes_csv(file_changes),
            files_of_job["data"]: file_changes.data(),
        }
        private_files.add(files_of_job["aside"])
    atomic_write_all(files, private_files)
