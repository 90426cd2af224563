"""Which rows go to which split: in proportion, label by label, groups kept whole."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence


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
