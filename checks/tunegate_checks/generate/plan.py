"""Plan the rows to ask for, so that their variety is designed, and write what is asked.

A plan runs over label, language, difficulty and length. Its first n slots are the same whatever n
is: a longer call asks what a shorter one asked, and has those answers in the cache.
"""

import json
import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import product

from tunegate.data.comparison import group_indices, is_label
from tunegate.data.dataset import Example

WORDS = tomllib.loads(files(__package__).joinpath("words.toml").read_text("utf-8"))
NEW, REWORDED, OUT_OF_SCOPE = "new", "reworded", "out of scope"
OUT_OF_SCOPE_EVERY = 10  # slots, where the reply to such questions is given


@dataclass(frozen=True, slots=True)
class Slot:
    """One row to ask for, made after the seed with the index `parent`; "" is left to the seed."""

    parent: int
    label: str = ""
    language: str = ""
    difficulty: str = REWORDED
    length: str = ""
    other: str = ""  # of a near miss: the label that it reads like

    @property
    def text(self) -> str:
        """The slot in words."""
        parts = [f'label "{self.label}"'] if self.label else []
        parts += [f"in {self.language}"] if self.language else []
        difficulty = WORDS["difficulty"][self.difficulty].format(other=self.other)
        return "; ".join([*parts, difficulty, WORDS["length"][self.length]])


def labels_of(seeds: Sequence[Example]) -> list[str]:
    """Return the label of each seed; all "" where replies are texts of their own, no labels."""
    labels = [e.label for e in seeds]
    are_labels = all(map(is_label, filter(None, labels))) and len({*labels}) < len(labels)
    return labels if are_labels else [""] * len(labels)


def slots(labels: Sequence[str], languages: Sequence[str], away: str | None) -> Iterator[Slot]:
    """Yield slots without end, the labels in turn; `labels` has that of each seed.

    For each label the combinations of the rest come in a random order, none again before all have
    come. `away` is the label of questions that are out of scope; None for none.
    """

    def deck(label: str, seeds: Sequence[int], kinds: Sequence[str]) -> Iterator[Slot]:
        rng, n = random.Random(f"{label} {kinds}"), 0
        cells = [*product(languages or [""], kinds, WORDS["length"])]
        while True:
            for language, kind, length in rng.sample(cells, len(cells)):
                other = rng.choice(sorted({*labels} - {label})) if kind == "near miss" else ""
                yield Slot(seeds[n % len(seeds)], label, language, kind, length, other)
                n += 1

    by_label = group_indices(labels, str)
    kinds = ("plain", "hard", "near miss") if len(by_label) > 1 else ("plain", "hard")
    decks = [deck(label, by_label[label], kinds) for label in sorted(by_label)]
    outside, n = deck(away or "", range(len(labels)), (OUT_OF_SCOPE,)), 0
    while True:
        for inside in decks:
            n += 1
            is_outside = away is not None and n % OUT_OF_SCOPE_EVERY == 0
            yield next(outside if is_outside else inside)


def request_messages(
    seeds: Sequence[Example], labels: Sequence[str], batch: Sequence[Slot], shots: int, turn: int
) -> list[dict[str, str]]:
    """Return the messages that show seeds and ask for a row for each slot of a batch.

    Shown are the parents, then the labels in turn, beginning at another seed of each every turn.
    """
    kind = REWORDED if batch[0].difficulty == REWORDED else NEW
    own = group_indices(labels, str).values()
    rank = {i: (k - turn) % len(rows) for rows in own for k, i in enumerate(rows)}
    parents = dict.fromkeys(slot.parent for slot in batch)
    others = sorted(rank.keys() - parents, key=lambda i: (rank[i], i))
    shown = [*parents, *others][: max(len(parents), shots if kind == NEW else 1)]
    lines = [f"The model is told: {text}" for text in {seeds[i].system: 0 for i in shown} if text]
    for k, i in enumerate(shown, start=1):
        row = {"prompt": seeds[i].prompt, "reply": seeds[i].reply}
        lines.append(f"Example {k}: {json.dumps(row, ensure_ascii=False)}")
    lines.append(WORDS[kind]["task"].format(n=len(batch)))
    for k, slot in enumerate(batch if kind == NEW else (), start=1):
        lines.append(f"{k}. {slot.text}; in the manner of example {shown.index(slot.parent) + 1}")
    system = {"role": "system", "content": WORDS["system"] + WORDS[kind]["form"]}
    return [system, {"role": "user", "content": "\n".join(lines)}]
