"""Splits one file into train.jsonl, validation.jsonl and test.jsonl, for `tunegate split`.

Similar rows (see `similar_groups`) and rows of one group stay in one split, so that the test set
holds nothing that the training set has. Each label is spread over the splits in proportion, or the
rows are parted by their time. The same file and seed give the same bytes.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..similarity import ngrams, search
from ..utils.files import atomic_write
from ..utils.strict_json import Unreadable, to_json_line
from ..utils.text import counted, without_edge_punctuation
from . import SPLITS, comparison
from .dataset import PLAIN_READING, Dataset, Example, Reading, valid_fields
from .json_lines import is_table_data, select_split, split_rows
from .tables import check_data, read_saved

MIN_ROWS_PER_VALUE = 3  # on average, to spread a value over the three splits


class SplitError(ConfigError):
    """The file cannot be split, or not into this folder; the message says why, and what to do."""


@dataclass(frozen=True)
class SplitReport:
    """The size of each split, and of the groups that were kept together."""

    rows: dict[str, int]  # by split
    labels: dict[str, Counter[str]]  # by split; empty if rows have no labels
    groups: int  # of two similar rows or more
    largest: int  # rows in the largest of these groups

    def to_dict(self) -> dict[str, Any]:
        """Return the report as builtins: `splits`, `groups`, `largest_group`, `labels`."""
        total, labels = sum(self.rows.values()), sorted(set().union(*self.labels.values()))
        sizes = [{"split": s, "rows": n, "share": n / total} for s, n in self.rows.items()]
        counts = [{"label": name, **{s: self.labels[s][name] for s in SPLITS}} for name in labels]
        about = {"groups": self.groups, "largest_group": self.largest}
        return {"splits": sizes, **about, "labels": counts}

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        total, names = sum(self.rows.values()), sorted(set().union(*self.labels.values()))
        sizes = [f"{s}: {counted(n, 'row')} ({n / total:.1%})" for s, n in self.rows.items()]
        largest = f", the largest of {self.largest:,} rows" if self.groups else ""
        groups_line = f"{counted(self.groups, 'group')} of similar rows kept together{largest}"
        width = max(map(len, names), default=0)
        cells = [(n, "  ".join(f"{self.labels[s][n]:>6,}" for s in SPLITS)) for n in names]
        return [*sizes, groups_line, *(f"{name:<{width}}  {counts}" for name, counts in cells)]


def split_file(
    path: Path | str,
    out_dir: Path | str,  # the folder of the three files
    *,
    validation: float = 0.15,  # the shares of all rows, 0..1, in validation.jsonl and test.jsonl
    test: float = 0.15,
    seed: int = 0,  # of the random order in which rows are assigned
    # What is spread over the splits in proportion: "label" (if the task is classification), the
    # values of one of the rows' own fields, or nothing (None).
    by: str | None = "label",
    similarity: float = 0.85,  # from which on, 0..1, prompts are near-duplicates
    force: bool = False,  # replace files that exist
    # Put the newest rows into test, those before into validation; its newest row dates a group.
    by_time: bool = False,
    reading: Reading = PLAIN_READING,  # it and `columns` are as for `Dataset.read`
    columns: Mapping[str, str] | None = None,
) -> SplitReport:
    """Split a file of rows into three JSONL files in a folder.

    Rows are written as they stand, one a line, in their order; those of CSV or Parquet as messages.

    Raises SplitError where the shares leave no training rows, a row cannot be read, no row has the
    field `by` or a group, or with `by_time` a row has no time, a split would be empty, or one of
    the files exists; ConfigError where the file is not UTF-8, or a table whose prompt and reply are
    not known; OSError.
    """
    shares = _checked_shares(validation, test)
    path, out = Path(path), {name: Path(out_dir) / f"{name}.jsonl" for name in SPLITS}
    if path.resolve() in [target.resolve() for target in out.values()]:
        raise SplitError(f"{path} is the source itself; choose another folder")
    existing = [str(target) for target in out.values() if target.exists()]
    if existing and not force:
        raise SplitError(f"{', '.join(existing)}: already there; --force replaces")

    lines, dataset = read_complete(path, reading, columns or {})
    labels = strata_of(dataset, by)
    groups = similar_groups(dataset, similarity)
    if by_time:
        rows_of_split = chronological_group_split(_times_of(dataset), groups, shares)
    else:
        rows_of_split = stratified_group_split(labels, groups, shares, seed)

    sizes = [len(group) for group in groups]
    if empty := [name for name, rows in rows_of_split.items() if not rows]:
        largest, n = max(sizes), len(dataset)
        similar_rows = f"all {n:,}" if largest == n else f"{largest:,} of {n:,}"
        torn = f"{similar_rows} rows are alike; they cannot be torn apart"
        reason = torn if largest > 1 else f"{n:,} rows are too few, or its share is too small"
        raise SplitError(f"{empty[0]} would be empty: {reason}")

    for name, rows in rows_of_split.items():
        atomic_write(out[name], b"".join(lines[i] + b"\n" for i in sorted(rows)))
    counts = {
        name: Counter(labels[i] for i in rows) if any(labels) else Counter[str]()
        for name, rows in rows_of_split.items()
    }
    row_counts = {name: len(rows) for name, rows in rows_of_split.items()}
    shared = [size for size in sizes if size > 1]
    return SplitReport(row_counts, counts, len(shared), max(shared, default=1))


def _checked_shares(validation: float, test: float) -> dict[str, float]:
    """Return the share of each split; raise SplitError where one cannot be."""
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise SplitError(f"{name} is {share}; a share between 0 and 1 is needed, e.g. 0.15")
    if validation + test >= 1:
        raise SplitError(f"validation {validation} and test {test} leave nothing to train on")
    return dict(zip(SPLITS, (1 - validation - test, validation, test), strict=True))


def read_complete(
    path: Path, reading: Reading, columns: Mapping[str, str]
) -> tuple[list[bytes], Dataset]:
    """Return the rows of a file as lines of JSON, and read; raise SplitError if one is unread."""
    data = select_split(read_saved(path, ""), "")
    check_data(data, path, columns)
    dataset = Dataset.parse(data, path=path, columns=columns, reading=reading)
    if bad := [problem for problem in dataset.problems if not problem.hint]:
        head = f"{path}: {counted(len(bad), 'row')} cannot be read, and nothing was written:"
        alike = comparison.group_indices(bad, lambda problem: problem.evidence).items()
        firsts = [(bad[i], f" and {len(k):,} more" if k else "") for _, (i, *k) in alike]
        listed = [f"  line {problem.line}{more}: {problem.evidence}" for problem, more in firsts]
        listed[20:] = [f"  and {len(listed) - 20:,} more"] if len(listed) > 20 else []
        advice = "  put them right, or let `tunegate fix FILE -o NEW` set them aside"
        raise SplitError("\n".join([head, *listed, advice]))
    if len(dataset) < len(SPLITS):
        raise SplitError(f"{path} has {counted(len(dataset), 'row')}; at least 3 are needed")
    if reading.group_by and not any(e.group for e in dataset):
        names = " or ".join(map(repr, reading.group_by))
        raise SplitError(f"no row has a field {names} (data.group_by); {valid_fields(dataset)}")
    if is_table_data(data, path, bool(columns)):
        try:
            return [to_json_line(example.fields) for example in dataset], dataset
        except Unreadable as error:
            raise SplitError(f"{path}: {error}") from None
    # A JSON string holds no bare line end, so a row over several lines can be joined to one.
    pieces = (piece for _, piece in split_rows(data) if not isinstance(piece, Unreadable))
    return [b" ".join(piece.strip().splitlines()) for piece in pieces], dataset


def _times_of(dataset: Dataset) -> list[float]:
    """Return the time of each row; raise SplitError where one has none."""
    name = dataset.reading.time_by
    if not name:
        needed = "say which field has the time of a row: --by-time FIELD, or time_by under [data]"
        raise SplitError(f"{needed}; {valid_fields(dataset)}")
    if untimed := [example.line for example in dataset if example.time is None]:
        needed = "a number or a date such as 2026-01-31T09:30 is needed"
        raise SplitError(f"line {untimed[0]} has no time in {name!r}; {needed}")
    return [time for example in dataset if (time := example.time) is not None]


def strata_of(dataset: Dataset, by: str | None) -> list[str]:
    """Return the value of each row that is spread over the splits, "" if none is; `by` names it."""
    if by is None or (by == "label" and not comparison.label_counts(dataset)):
        return [""] * len(dataset)
    if by == "label":
        return [e.label for e in dataset]
    if not any(by in e.fields for e in dataset):
        raise SplitError(f"no row has a field {by!r} to split by; {valid_fields(dataset, 'label')}")
    values = [str(e.fields.get(by, "")) for e in dataset]
    if len(different := {*values}) * MIN_ROWS_PER_VALUE > len(values):
        found = f"{by!r} has {len(different):,} values in {len(values):,} rows"
        advice = f"to keep the rows of each in one split: --group-by {by}"
        raise SplitError(f"{found}, too many to spread over the splits; {advice}")
    return values


def similar_groups(examples: Sequence[Example], similarity: float) -> list[list[int]]:
    """Return the indices of all rows, in groups that must stay in one split; most hold one row.

    Rows are in one group if, directly or through others, they are similar or of one source.
    """
    texts = comparison.comparison_texts(examples)[0]
    linked: list[list[int]] = []
    for indices in comparison.near_scopes(examples):
        scope = [texts[i] for i in indices]
        near = search.connected_groups(scope, similarity)
        near += comparison.group_indices(scope, without_edge_punctuation).values()
        linked += [[indices[k] for k in group] for group in near]
    return comparison.connected(len(examples), [*linked, *rows_of_one_source(examples, texts)])


def rows_of_one_source(examples: Sequence[Example], texts: Sequence[str]) -> list[list[int]]:
    """Return lists of indices of rows of one source; a row can be in none, or in several.

    They are of one group or conversation, or their `comparison_texts` share a passage or document.
    """
    # Twice the rows that make a passage boilerplate in the leakage check: a split has only some.
    max_rows = 2 * ngrams.BOILERPLATE_ROWS
    ngram_rows = ngrams.indices_by_key(map(ngrams.ngram_hashes, texts))
    shared = [*ngram_rows.values(), *comparison.rows_by_document(texts)]
    rare = (rows for rows in shared if 1 < len(rows) <= max_rows)
    return [*comparison.rows_together(examples), *rare]


def chronological_group_split(
    times: Sequence[float], groups: Sequence[Sequence[int]], shares: Mapping[str, float]
) -> dict[str, list[int]]:
    """Return the rows of each split, the oldest groups first; its newest row dates a group."""
    rows_of_split: dict[str, list[int]] = {split: [] for split in shares}
    names, placed = list(shares), 0
    due = len(times) * shares[names[0]]  # rows up to the end of the current split
    for group in sorted(groups, key=lambda group: (max(times[i] for i in group), group[0])):
        if placed + len(group) / 2 > due and len(names) > 1:
            due += len(times) * shares[names[1]]
            names.pop(0)
        rows_of_split[names[0]] += group
        placed += len(group)
    return rows_of_split


def stratified_group_split(
    labels: Sequence[str], groups: Sequence[Sequence[int]], shares: Mapping[str, float], seed: int
) -> dict[str, list[int]]:
    """Return the rows of each split, in random order; the same arguments give the same splits.

    Groups of several rows are assigned first, the largest first; then the single rows, label by
    label. A group goes to the split with the largest deficit: the rows that are due to it by its
    share of the rows so far, less those it has, in the group's labels and in all. They are not
    rounded: neither many small labels nor large groups shift the shares. Each row is in one group.
    """
    rng = random.Random(seed)
    shuffled = rng.sample(list(groups), len(groups))
    label_deficit: dict[tuple[str, str], float] = defaultdict(float)  # rows, by split and label
    total_deficit: dict[str, float] = defaultdict(float)  # rows, by split
    rows_of_split: dict[str, list[int]] = {split: [] for split in shares}
    for group in sorted(shuffled, key=lambda g: (-len(g), labels[g[0]] if len(g) == 1 else "")):
        counts = Counter(labels[i] for i in group)
        deficits: dict[str, float] = {}
        for split, share in shares.items():
            for label, n in counts.items():
                label_deficit[split, label] += n * share
            total_deficit[split] += len(group) * share
            in_labels = sum(label_deficit[split, label] * n for label, n in counts.items())
            deficits[split] = in_labels / len(group) + total_deficit[split]
        chosen = max(deficits, key=deficits.__getitem__)
        for label, n in counts.items():
            label_deficit[chosen, label] -= n
        total_deficit[chosen] -= len(group)
        rows_of_split[chosen] += group
    for rows in rows_of_split.values():
        rng.shuffle(rows)
    return rows_of_split
