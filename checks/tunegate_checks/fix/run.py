"""From files to files: read all, fix training first, write all, and say what was done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.config import Config
from tunegate.dataset import SPLITS, Dataset
from tunegate.project import ConfigError
from tunegate.splits import system_prompt

from . import jobs as planned
from . import places
from .diff import table
from .jobs import Job
from .placeholders import Placeholders
from .redact import Redactor
from .save import save
from .source import Source, read
from .steps import Rules
from .summary import lines, next_step
from .verify import put_right
from .work import STEPS, Work


@dataclass(frozen=True)
class Done:
    """What became of the files of one call."""

    jobs: Sequence[Job]
    works: Sequence[Work]
    config: Config

    @property
    def left(self) -> bool:
        """Whether something is left for a person."""
        return any(work.left or work.aside for work in self.works)

    def lines(self) -> Iterator[str]:
        """Yield what the terminal shows."""
        for job, work in zip(self.jobs, self.works, strict=True):
            yield from lines(work, job.files(work.source.suffix))
        splits = [(job.split or "train", job.out) for job in self.jobs]
        if self.config.data.columns and len(self.jobs) == 1:
            yield "next: fix the other splits too, since all are tables or none is; then"
        yield from next_step(splits, self.config.suites.data)


def fix(
    file: Path | None,
    out: Path,
    against: Sequence[Path] = (),
    steps: Collection[str] = STEPS,
    columns: Mapping[str, str] | None = None,
    config: Config | None = None,
    root: Path | None = None,
    force: bool = False,
) -> Done:
    """Fix one file, or without one the configured splits; write results, diffs, rows set aside.

    `against` are splits that keep their rows. `columns` maps those of tables, else the
    configuration does. Raises ConfigError or ValueError for what the user must change first,
    OSError where a file cannot be read or written; nothing is written then.
    """
    columns = columns or (dict(config.data.columns) if config else {})
    named = [(path, planned.split_of(path, config, root)) for path in against]
    jobs = _jobs(file, out, config, root)
    planned.refuse(jobs, against, force)
    planned.agree(jobs, named, file is None)
    if file and steps == ["leaks"] and not named:
        raise ConfigError("leaks: nothing to compare with; give --against TRAIN")
    others = [planned.read_other(path, split, columns) for path, split in named]
    sources = [read(job.path, columns) for job in jobs]
    rules = _rules(sources, others, config, root, steps)
    works: list[Work] = []
    for job, source in zip(jobs, sources, strict=True):
        works.append(Work(source, job.split, others))
        if "leaks" in steps and not others and job.split in SPLITS[1:]:
            works[-1].say("leaks", "leaks were not looked for", "no --against")
        put_right(works[-1], rules, job.out)
        others = [*others, works[-1].result(job.out)]
    _save(jobs, works)
    return Done(jobs, works, config or Config())


def _jobs(file: Path | None, out: Path, config: Config | None, root: Path | None) -> list[Job]:
    if file is not None:
        return planned.of_file(file, out, planned.split_of(file, config, root))
    if config is None or root is None:
        raise ConfigError("no tunegate.toml here or above: name the FILE to fix")
    return planned.of_project(config, root, out)


def _rules(
    sources: Sequence[Source],
    others: Sequence[Dataset],
    config: Config | None,
    root: Path | None,
    steps: Collection[str],
) -> Rules:
    limits = (config or Config()).limits
    fields = [row.fields for source in sources for row in source.rows]
    texts = places.texts([*fields, *(dict(e.fields) for other in others for e in other)])
    return Rules(
        Redactor(Placeholders(texts), limits.pii_ignore, limits.pii_allow),
        steps,
        task=config.task if config else "",
        prompt=system_prompt(config, root) if config and root else None,
        similarity=limits.similarity,
        ignore=limits.pii_ignore,
        allow=limits.pii_allow,
    )


def _save(jobs: Sequence[Job], works: Sequence[Work]) -> None:
    files: dict[Path, bytes | None] = {}
    private: set[Path] = set()
    for job, work in zip(jobs, works, strict=True):
        place = job.files(work.source.suffix)
        files[place["aside"]] = work.aside_bytes() if work.aside else None
        files |= {place["diff"]: table(work), place["data"]: work.data()}
        private.add(place["aside"])
    save(files, private)
