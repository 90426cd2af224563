"""Fix files, training first, since it keeps its rows: read all, run the steps, write all."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tunegate import ConfigError, Dataset
from tunegate.config.data_files import find_data_files, read_file, read_system_prompt
from tunegate.config.schema import Config
from tunegate.data import SPLITS
from tunegate.data.dataset import Reading
from tunegate.data.json_lines import is_table_data
from tunegate.data.tables import is_saved_folder
from tunegate.utils.files import atomic_write_all

from ..review.sheet import corrections
from ..review.status import REVIEWS_FOLDER
from ..text.text_fields import iter_texts
from .changes import STEPS, FileChanges, Job, changes_csv, read_source
from .redact import Redactor
from .steps import FixRules, run_steps


def fix_files(
    file: Path | None, out: Path, against: Sequence[Path] = (), steps: Collection[str] = STEPS,
    config: Config | None = None, root: Path | None = None, force: bool = False, key: bytes = b"",
    surrogates: bool = False,
) -> list[FileChanges]:  # fmt: skip
    """Fix one file, or without one the configured splits; write results and diffs.

    `against` keep their rows; `key`, `surrogates`: see Redactor. Raises ConfigError, ValueError or
    OSError for what must change first, and writes nothing then.
    """
    config = config or Config()
    columns, limits = dict(config.data.columns), config.limits
    references = [(path, split_of(path, config, root)) for path in against]
    jobs = make_jobs(file, out, config, root)
    if file is None and against:
        raise ConfigError("--against goes with a FILE: the splits are held against each other")
    check_jobs(jobs, references, force)
    if file and steps == ["leaks"] and not references:
        raise ConfigError("leaks: nothing to compare with; give --against TRAIN")

    others = [read_reference(path, split, columns, config.reading) for path, split in references]
    sources = [read_source(job.path, columns, job.split) for job in jobs]
    # A placeholder that some file has already is not given to another value.
    rows = [row.fields for source in sources for row in source.rows]
    known = (*rows, *(example.fields for other in others for example in other))
    texts = (field.text for fields in known for field in iter_texts(fields))
    ignore, allow, names = limits.pii_ignore, limits.pii_allow, limits.pii_names
    redactor = Redactor(texts, ignore, allow, key, surrogates, names, limits.surrogates)
    if "redact" in steps:
        redactor.collect(rows)
    prompt = read_system_prompt(config, root) if root else None
    believing = limits.model_copy(update={"surrogates": surrogates or limits.surrogates})
    said = corrections((root or Path.cwd()) / REVIEWS_FOLDER) if "review" in steps else {}
    rules = FixRules(believing, redactor, steps, config.task if root else "", prompt, said)

    fixed: list[FileChanges] = []
    for job, source in zip(jobs, sources, strict=True):
        file_changes = FileChanges(job, source, others, config.reading)
        if "leaks" in steps and not others and job.split in SPLITS[1:]:
            file_changes.add_file_change("leaks", "leaks were not looked for", "no --against")
        if surrogates and not limits.surrogates:
            line = "invented values close the data gate without: [limits] surrogates = true"
            file_changes.add_file_change("redact", line, "--surrogates")
        others = [*others, run_steps(file_changes, rules)]
        fixed.append(file_changes)
    contents: dict[Path, bytes] = {}
    for done in fixed:
        contents |= {done.job.files()["diff"]: changes_csv(done), done.job.out: done.data()}
    atomic_write_all(contents)
    return fixed


def make_jobs(file: Path | None, out: Path, config: Config, root: Path | None) -> list[Job]:
    """Return the job of `file`, or those of the configured splits; raises ConfigError."""
    if file is not None:
        path = out / f"{file.stem}.jsonl" if out.is_dir() or not out.suffix else out
        if is_table_data(b"", path):
            raise ConfigError(f"{path}: what is written is JSONL; -o {path.with_suffix('.jsonl')}")
        return [Job(file, path, split_of(file, config, root))]
    if root is None:
        raise ConfigError("no tunegate.toml here or above: name the FILE to fix")
    if out.is_file():
        raise ConfigError(f"{out} is a file; give a folder, or name the one file to fix")
    if not (paths := find_data_files(config, root, {}, root).paths):
        raise ConfigError(f"{root} configures no data; set data.train, or name a file to fix")
    names = {split: f"{path.stem}.jsonl" for split, path in paths.items()}
    if len(set(names.values())) < len(names):
        names = {split: f"{split}.jsonl" for split in paths}
    return [Job(path, out / names[split], split) for split, path in paths.items()]


def split_of(path: Path, config: Config, root: Path | None) -> str:
    """Return which split a file is, by the configuration or else by its name; "" for none."""
    for split in SPLITS:
        configured = getattr(config.data, split)
        if root and configured and (root / configured).resolve() == path.resolve():
            return split
    return path.stem if path.stem in SPLITS else ""


def check_jobs(jobs: Sequence[Job], references: Sequence[tuple[Path, str]], force: bool) -> None:
    """Raise ConfigError where data is missing or would be lost.

    A file that is read is never written over, nor one that is there without `force`. A split loses
    no rows to itself or to a later one among `references`, which are (path, split).
    """
    read_paths = [*(job.path for job in jobs), *(path for path, _ in references)]
    read = {path.resolve(): path for path in read_paths}
    for path in read.values():
        if not path.is_file() and not is_saved_folder(path):
            raise ConfigError(f"{path} is not a file")
    written = [file for job in jobs for file in job.files().values()]
    for file in written:
        if file.resolve() in read:
            raise ConfigError(f"{file} is read here, and never written over; choose another -o")
    if not force and (existing := [str(f) for f in dict.fromkeys(written) if f.exists()]):
        raise ConfigError(f"{', '.join(existing)}: already there; --force replaces")
    for job, (path, split) in ((job, other) for job in jobs for other in references):
        if path.resolve() == job.path.resolve():
            raise ConfigError(f"{path} against itself: no row would be left")
        if job.split and split and SPLITS.index(job.split) < SPLITS.index(split):
            raise ConfigError(
                f"{job.path} is the {job.split} split and {path} the {split} split: rows leave the "
                f"later one, never the earlier; fix {path} --against {job.path}"
            )


def read_reference(path: Path, split: str, columns: Mapping[str, str], reading: Reading) -> Dataset:
    """Read a split that keeps its rows; raises ValueError for an unreadable one: it may leak."""
    dataset = read_file(path, columns, split, reading)
    for problem in (p for p in dataset.problems if not p.hint):
        place = f"{path}: line {problem.line}" if problem.line else f"{path}: it"
        raise ValueError(f"{place} cannot be read ({problem.evidence}); fix this file first")
    return dataset
