"""From files to files: read all, fix training first, write all, and say what was done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.config import Config
from tunegate.dataset import SPLITS, Dataset
from tunegate.project import ConfigError
from tunegate.splits import read_system_prompt

from . import jobs as planned
from . import places
from .diff import changes_csv
from .jobs import Job
from .placeholders import Placeholders
from .redact import Redactor
from .save import atomic_write_all
from .source import Source, read_source
from .steps import FixRules
from .summary import next_command, summary_lines
from .verify import run_steps
from .work import STEPS, FileChanges


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
    references = [(path, planned.split_of(path, config, root)) for path in against]
    jobs = _make_jobs(file, out, config, root)
    planned.check_files(jobs, against, force)
    planned.check_split_order(jobs, references, file is None)
    if file and steps == ["leaks"] and not references:
        raise ConfigError("leaks: nothing to compare with; give --against TRAIN")
    others = [planned.read_reference(path, split, columns) for path, split in references]
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
        return planned.jobs_of_file(file, out, planned.split_of(file, config, root))
    if config is None or root is None:
        raise ConfigError("no tunegate.toml here or above: name the FILE to fix")
    return planned.jobs_of_project(config, root, out)


def _make_rules(
    sources: Sequence[Source],
    others: Sequence[Dataset],
    config: Config | None,
    root: Path | None,
    steps: Collection[str],
) -> FixRules:
    limits = (config or Config()).limits
    fields = [row.fields for source in sources for row in source.rows]
    texts = places.all_texts([*fields, *(dict(e.fields) for other in others for e in other)])
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
