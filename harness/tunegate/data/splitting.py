"""`tunegate split`: one file becomes train.jsonl, validation.jsonl and test.jsonl.

Rows that are alike (`similar.groups` on what `prompts.compared` returns, the same
`prompts.question`, or a shared passage) stay together, so that the test set holds nothing the
training set has; every label is spread over the splits in proportion; the same file and seed give
the same bytes.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ..similarity import ngrams, search
from ..utils.atomic import atomic_write
from .comparison import comparison_texts, group_indices, label_counts, non_text_parts, question_key
from .dataset import SPLITS, Dataset, Example
from .json_lines import split_rows
from .tables import column_names, is_table
from .text_encoding import check_encoding

Labels = Sequence[str]


class SplitError(ValueError):
    """The file cannot be split, or not into this folder; the message says why, and what to do."""


@dataclass(frozen=True)
class SplitReport:
    """What went where: rows per split, and per split and label where rows have labels."""

    rows: dict[str, int]
    labels: dict[str, Counter[str]]
    groups: int  # of two rows or more that are alike and stayed together
    largest: int  # rows in the largest of them
    paths: dict[str, Path]

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        total = sum(self.rows.values())
        head = [f"{s}: {n:,} rows ({n / total:.1%})" for s, n in self.rows.items()]
        groups_text = f"{self.groups:,} groups of similar rows kept together"
        largest = f", the largest of {self.largest:,} rows" if self.groups else ""
        return [*head, groups_text + largest, *self._by_label()]

    def _by_label(self) -> list[str]:
        names = sorted({label for counts in self.labels.values() for label in counts})
        width = max(map(len, names), default=0)
        cells = [(n, "  ".join(f"{self.labels[s][n]:>6,}" for s in SPLITS)) for n in names]
        return [f"{name:<{width}}  {counts}" for name, counts in cells]


def split_file(
    path: Path | str,
    out_dir: Path | str,
    *,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    by: str | None = "label",
    similarity: float = 0.85,
    force: bool = False,
) -> SplitReport:
    """Split a JSONL file or a JSON array into three files in a folder.

    `validation` and `test` are shares of all rows, 0..1: at their defaults validation is 17.6 % of
    training and validation together. `by` spreads the labels ("label", where the task is
    classification), the values of one of the rows' own fields, or nothing (None). Each row is
    written as it stands in the source, on one line. Raises SplitError for shares that leave nothing
    to train on, rows that cannot be read, an unknown field, or files that are there already
    (`force` replaces them); ConfigError where the file is not UTF-8; OSError where a file cannot be
    read or written.
    """
    _check_shares(validation, test)
    out = {name: Path(out_dir) / f"{name}.jsonl" for name in SPLITS}
    _check_targets(out, Path(path), force)
    check_encoding(Path(path))
    _check_json(Path(path))
    data = Path(path).read_bytes()
    dataset = Dataset.parse(data, path=path)
    _check_rows(dataset)
    labels = _strata(dataset, by)
    groups = similar_groups(dataset, similarity)
    shares = dict(zip(SPLITS, (1 - validation - test, validation, test), strict=True))
    rows_of_split = stratified_group_split(labels, groups, shares, seed)
    _check_not_empty(rows_of_split, groups)
    for name, chosen_rows in rows_of_split.items():
        atomic_write(out[name], _join_rows(data, chosen_rows))
    return _make_report(rows_of_split, labels if any(labels) else [], groups, out)


def similar_groups(examples: Sequence[Example], similarity: float) -> list[list[int]]:
    """Return every row once, in groups that must not be torn apart: most hold one row."""
    texts = comparison_texts(examples)[0]
    linked: list[list[int]] = []
    for indices in group_indices(examples, non_text_parts).values():
        similar_groups = search.connected_groups([texts[i] for i in indices], similarity)
        linked += [[indices[k] for k in group] for group in similar_groups]
    linked += group_indices(examples, question_key).values()  # what differs in white space alone
    # Twice the runs that leakage counts as boilerplate: in one split fewer rows hold them.
    max_rows = 2 * ngrams.BOILERPLATE_ROWS
    ngram_rows = ngrams.rows_by_ngram([e.prompt for e in examples]).values()
    linked += [rows for rows in ngram_rows if 1 < len(rows) <= max_rows]
    return _merge_linked(len(examples), linked)


def _merge_linked(n: int, linked: Sequence[Sequence[int]]) -> list[list[int]]:
    parent = list(range(n))

    def root_of(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for first, *others in linked:
        for other in others:
            low, high = sorted((root_of(first), root_of(other)))
            parent[high] = low
    groups: dict[int, list[int]] = {}
    for i in range(n):
        groups.setdefault(root_of(i), []).append(i)
    return list(groups.values())


def _strata(dataset: Dataset, by: str | None) -> Labels:
    if by is None or (by == "label" and not label_counts(dataset)):
        return [""] * len(dataset)
    if by == "label":
        return [e.label for e in dataset]
    if not any(by in e.fields for e in dataset):
        own_fields = sorted({key for e in dataset for key in e.fields if key != "messages"})
        valid = ", ".join(["label", *own_fields])
        raise SplitError(f"no row has a field {by!r} to split by; valid: {valid}")
    return [str(e.fields.get(by, "")) for e in dataset]


def _check_shares(validation: float, test: float) -> None:
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise SplitError(f"{name} is {share}; a share between 0 and 1 is needed, e.g. 0.15")
    if validation + test >= 1:
        raise SplitError(f"validation {validation} and test {test} leave nothing to train on")


def _check_targets(out: dict[str, Path], source: Path, force: bool) -> None:
    if source.resolve() in [path.resolve() for path in out.values()]:
        raise SplitError(f"{source} is the source itself; choose another folder")
    existing = [str(path) for path in out.values() if path.exists()]
    if existing and not force:
        raise SplitError(f"{', '.join(existing)}: already there; --force replaces")


def _check_json(path: Path) -> None:
    if is_table(path):
        raise SplitError(
            f"{path} is CSV or Parquet, and split takes JSONL or a JSON array\n"
            f"  its columns: {', '.join(column_names(path))}\n"
            "  say which of them is the prompt, and which the reply, to make JSONL of it:\n"
            f"  tunegate fix {quote(str(path))} -o {quote(str(path.with_suffix('.jsonl')))}"
            " --only format --columns prompt=COLUMN,reply=COLUMN"
        )


def _check_rows(dataset: Dataset) -> None:
    bad = [p for p in dataset.problems if not p.hint]
    if bad:
        listed = [f"  line {p.line}: {p.evidence}" for p in bad[:20]]
        more = [f"  and {len(bad) - 20:,} more"] if len(bad) > 20 else []
        rows = f"{len(bad):,} row{'s' * (len(bad) > 1)}"
        head = f"{dataset.path}: {rows} cannot be read, and nothing was written:"
        more += ["  put them right, or let `tunegate fix FILE -o NEW` set them aside"]
        raise SplitError("\n".join([head, *listed, *more]))
    if len(dataset) < len(SPLITS):
        raise SplitError(f"{dataset.path} has {len(dataset)} rows; at least 3 are needed")


def _check_not_empty(places: dict[str, list[int]], groups: Sequence[Sequence[int]]) -> None:
    empty = [name for name, rows in places.items() if not rows]
    largest, n = max(map(len, groups)), sum(map(len, groups))
    if empty:
        similar_text = f"all {n:,}" if largest == n else f"{largest:,} of {n:,}"
        hint = "; they cannot be torn apart" if largest > 1 else ": too few, or too small a share"
        raise SplitError(f"{empty[0]} would be empty: {similar_text} rows are alike{hint}")


def _join_rows(data: bytes, rows: Sequence[int]) -> bytes:
    # A JSON string holds no bare newline, so that those of a row written over several lines can go.
    wanted_rows = set(rows)
    row_pieces = (bytes(piece) for i, (_, piece) in enumerate(split_rows(data)) if i in wanted_rows)  # type: ignore[arg-type]
    lines = (b" ".join(piece.strip().splitlines()) for piece in row_pieces)
    return b"".join(line + b"\n" for line in lines)


def _make_report(
    places: dict[str, list[int]],
    labels: Labels,
    groups: Sequence[Sequence[int]],
    out: dict[str, Path],
) -> SplitReport:
    group_sizes = [len(group) for group in groups if len(group) > 1]
    counts = {
        s: Counter(labels[i] for i in rows) if labels else Counter() for s, rows in places.items()
    }
    rows = {s: len(chosen) for s, chosen in places.items()}
    return SplitReport(rows, counts, len(group_sizes), max(group_sizes, default=1), out)


# [merged] Which rows go to which split: in proportion, label by label, groups kept whole.


def stratified_group_split(
    labels: Sequence[str],
    groups: Sequence[Sequence[int]],
    shares: Mapping[str, float],
    seed: int,
) -> dict[str, list[int]]:
    """Return the rows of each split, in random order.

    `groups` holds every row once. Groups of several rows come first, the largest first; then the
    single rows, label by label, each going where most is owed: to its label and in all. Sums of
    what is owed are never rounded, so that neither many small labels nor large groups tilt the
    shares for long. The same arguments give the same splits.
    """
    rng = random.Random(seed)
    deficit = _Deficit(shares)
    rows_of_split: dict[str, list[int]] = {split: [] for split in shares}
    for group in _in_assignment_order(labels, groups, rng):
        rows_of_split[deficit.assign([labels[i] for i in group])] += group
    for rows in rows_of_split.values():
        rng.shuffle(rows)
    return rows_of_split


def _in_assignment_order(
    labels: Sequence[str], groups: Sequence[Sequence[int]], rng: random.Random
) -> list[Sequence[int]]:
    shuffled = rng.sample(list(groups), len(groups))
    return sorted(shuffled, key=lambda g: (-len(g), labels[g[0]] if len(g) == 1 else ""))


class _Deficit:
    """What each split is owed so far, in rows: of each label, and of all labels together."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self.shares = shares
        self.by_label: dict[tuple[str, str], float] = defaultdict(float)
        self.total: dict[str, float] = defaultdict(float)

    def assign(self, labels: Sequence[str]) -> str:
        """Return the split that a group with these labels goes to, and charge it."""
        counts = Counter(labels)
        for split, share in self.shares.items():
            self._add_share(split, counts, share)
        chosen = max(self.shares, key=lambda split: self._deficit_of(split, counts))
        self._add_share(chosen, counts, -1)
        return chosen

    def _add_share(self, split: str, counts: Counter[str], part: float) -> None:
        for label, n in counts.items():
            self.by_label[split, label] += n * part
        self.total[split] += counts.total() * part

    def _deficit_of(self, split: str, counts: Counter[str]) -> float:
        by_label = sum(self.by_label[split, label] * n for label, n in counts.items())
        return by_label / counts.total() + self.total[split]
