"""Plants the faults that faults.toml describes into rows that are clean."""

import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.comparison import label_counts
from ..data.dataset import PLAIN_READING, Example, Reading
from ..utils.optional_deps import require
from ..utils.strict_json import parse_json_text

Row = dict[str, Any]
Rows = Mapping[str, Sequence[Row]]  # by split, each with its `messages`
ANSWERS = "answers"  # beside the splits: what a model answers each test row, as its only message


@dataclass(frozen=True)
class Fault:
    """A kind of fault; faults.toml says what the fields mean."""

    name: str
    found_by: str
    severity: str = "high"  # or "medium"
    suite: str = "data"  # or "model"
    how: str = "rewrite"
    text: str = "{text}"
    role: str = "user"
    split: str = "train"
    source: str = ""
    all: bool = False
    each: bool = False


_table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
PRIVATE_VALUES: list[list[str]] = _table.pop("private")
FAULTS = tuple(Fault(name, **values) for name, values in _table.items())


def plant(
    fault: Fault, rows: Rows, *, seed: object = 0, n: int = 5, reading: Reading = PLAIN_READING
) -> dict[str, list[Row]]:
    """Return the rows of each split, n of them with a fault, and the same ones for a seed.

    No row that is given is changed. All come back as they are where the fault applies to none.
    """
    every = {split: [*rows.get(split, ())] for split in ("train", "validation", "test", ANSWERS)}
    draft = Draft(fault, every, random.Random(f"{seed} {fault.name}"), n, reading)
    getattr(draft, fault.how)()
    return {split: every[split] for split in rows}


def faults(like: Rows | Sequence[Row], kind: str = "") -> Any:
    """Draw for hypothesis the name of a fault, the clean rows, and these with it in one of them.

    Clean rows are given by split, or of training. Raises ValueError for a kind that fits none.
    """
    draw = require("hypothesis.strategies", "hypothesis")
    rows = {s: [*r] for s, r in (like if isinstance(like, Mapping) else {"train": like}).items()}
    fitting = [fault for fault in FAULTS if plant(fault, rows, n=1) != rows]
    if not (chosen := [fault for fault in fitting if kind in (fault.name, "")]):
        raise ValueError(f"no fault {kind!r} in these rows; valid: {[f.name for f in fitting]}")
    planted = lambda f, seed: (f.name, rows, plant(f, rows, seed=seed, n=1))  # noqa: E731
    return draw.builds(planted, draw.sampled_from(chosen), draw.integers(0, 2**32))


def filled(form: str, text: str, rng: random.Random) -> str:
    """Return what a form of faults.toml makes of a text."""
    name, value = rng.choice(PRIVATE_VALUES)
    is_json, middle = not isinstance(parse_json_text(text), str), len(text) // 2
    values = {
        "name": name, "value": value,
        "escaped": "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in value),
        "key": "AKIA" + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=16)),
        "text": text, "mistyped": text[:middle] + text[middle : middle + 1] + text[middle:],
        "misread": text.encode().decode("cp1252", "replace"),
        "cut": text if is_json or len(text) < 60 else text[: len(text) * 2 // 3],
        "unclosed": text.rstrip()[:-1] if is_json else text,
    }  # fmt: skip
    return re.sub(r"\{(\w+)\}", lambda place: values.get(place[1], place[0]), form)


@dataclass
class Draft:
    """Rows with a fault being planted: the lists are changed, and no row in them."""

    fault: Fault
    rows: dict[str, list[Row]]
    rng: random.Random
    n: int  # rows that are planted, where single rows are
    reading: Reading

    def examples(self, split: str) -> list[Example]:
        """Return the rows of a split as checks see them."""
        return [Example(i, i + 1, row, self.reading) for i, row in enumerate(self.rows[split])]

    def shuffled(self, split: str) -> list[int]:
        """Return the numbers of the rows of a split in random order."""
        return self.rng.sample(range(len(self.rows[split])), len(self.rows[split]))

    def rewrite(self, n: int = 0) -> set[int]:
        """Put rewritten copies of rows over rows of the split, and return over which."""
        fault, changed, places = self.fault, set[int](), self.shuffled(self.fault.split)
        most = len(places) if fault.all else min(n or self.n, len(places))
        for i in self.shuffled(fault.source) if fault.source else places:
            before = self.rows[fault.source or fault.split][i]
            if len(changed) < most and ((row := self.rewritten(before)) != before or fault.source):
                changed.add(place := places[len(changed)] if fault.source else i)
                self.rows[fault.split][place] = row
        return changed

    def rewritten(self, row: Row) -> Row:
        """Return a copy of a row as the fault rewrites it."""
        row = deepcopy(row)
        turns, text = row["messages"], self.fault.text
        if text == "<turn_round>":
            turns.insert(-1, turns.pop())
        elif text == "<drop_system>":
            turns[:] = [turn for turn in turns if turn["role"] != "system"]
        elif text == "<break_call>":
            for call in [call for turn in turns for call in turn.get("tool_calls") or ()][:1]:
                call["function"]["arguments"] = call["function"]["arguments"][:-1]
        else:
            for turn in [turn for turn in turns if turn["role"] == self.fault.role][-1:]:
                parts = turn["content"] if isinstance(turn.get("content"), list) else [turn]
                for part, key in [(p, "content" if p is turn else "text") for p in parts]:
                    if isinstance(part.get(key), str):
                        part[key] = filled(text, part[key], self.rng)
        return row

    def exchange(self) -> None:
        """Give pairs of rows each other's reply or, to contradict, one the other's question."""
        rows, examples, order = self.rows["train"], self.examples("train"), self.shuffled("train")
        pairs = zip(order[::2], order[1::2], strict=False)
        different = [(i, k) for i, k in pairs if examples[i].label != examples[k].label]
        applies = bool(label_counts(examples)) is (self.fault.text != "replies")
        for i, k in different[: self.n] if applies else ():
            (*asked, reply), (*other_asked, other_reply) = rows[i]["messages"], rows[k]["messages"]
            if self.fault.text == "contradict":
                rows[i] = {**rows[k], "messages": [*other_asked, reply]}
            else:
                rows[i] = {**rows[i], "messages": [*asked, other_reply]}
                rows[k] = {**rows[k], "messages": [*other_asked, reply]}

    def shrink_class(self) -> None:
        """Leave one row of a class in training and in validation."""
        classes = self.rng.sample(sorted(c := label_counts(self.examples("train"))), len(c))
        for split in ("train", "validation") if len(classes) > 1 else ():
            of_class = [e.row for e in self.examples(split) if e.label == classes[0]]
            for i in reversed(of_class[1:]):
                del self.rows[split][i]

    def answer(self) -> None:
        """Answer test rows what is right of others: drawn, in order, or of one of them."""
        right = self.rows[ANSWERS]
        right[:] = {
            "at random": self.rng.sample(right, len(right)), "other rows": right[::-1],
            "one class": right[:1] * len(right),
        }[self.fault.text]  # fmt: skip

    def make_easy(self) -> None:
        """Fill the test set with copies of training rows, and answer no other one right."""
        answers, n = self.rows[ANSWERS], len(self.rows["test"])
        if answers and len(self.rows["train"]) >= n:
            copies = self.rewrite(n - max(n // 20, 3))
            answers[:] = [{"messages": row["messages"][-1:]} for row in self.rows["test"]]
            for i in {*range(n)} - copies:
                answers[i] = self.rng.choice([a for a in answers if a != answers[i]] or answers)
